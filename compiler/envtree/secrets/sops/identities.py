"""The age keys at hand, from the places where sops looks for them."""

import os
import re
import stat
import sys
from collections.abc import Mapping
from typing import Any

from pyrage import IdentityError, x25519

from envtree.secrets.sops.standard_file import NeedsSopsError

# pyrage ships no types.
Identity = Any

_SECRET_KEY = re.compile(r"AGE-SECRET-KEY-1[02-9AC-HJ-NP-Z]{58}")
_DEFAULT_KEY_FILE = "sops/age/keys.txt"
_SIZE_LIMIT = 1 << 20


def load_identities(environment: Mapping[str, str]) -> list[Identity]:
    """Every key of every place; LeftToSops if there is none, or if one is not plain text with plain age keys.

    They are read anew for each file, as sops does, so that none is kept. A command that prints keys is for sops to run.
    """
    if "SOPS_AGE_KEY_CMD" in environment:
        raise NeedsSopsError
    texts = [environment["SOPS_AGE_KEY"]] if "SOPS_AGE_KEY" in environment else []
    if "SOPS_AGE_KEY_FILE" in environment:
        texts.append(_read_key_file(environment["SOPS_AGE_KEY_FILE"]) or "")
    default = _default_key_file(environment)
    text = _read_key_file(default) if default else None
    if text is not None:
        texts.append(text)
    if not texts:
        raise NeedsSopsError
    return [key for text in texts for key in _parse_identities(text)]


def _default_key_file(environment: Mapping[str, str]) -> str | None:
    configuration, home = environment.get("XDG_CONFIG_HOME"), environment.get("HOME")
    if configuration:
        return f"{configuration}/{_DEFAULT_KEY_FILE}"
    if not home:
        return None
    return f"{home}/{'Library/Application Support' if sys.platform == 'darwin' else '.config'}/{_DEFAULT_KEY_FILE}"


def _read_key_file(path: str) -> str | None:
    """The text of a file, None if there is none."""
    try:
        found = os.stat(path)
        # What can be read but once, such as a pipe, must be left to the one who reads it.
        if stat.S_ISREG(found.st_mode) and found.st_size <= _SIZE_LIMIT:
            with open(path, "rb", buffering=0) as file:
                return file.read().decode()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError):
        pass
    raise NeedsSopsError


def _parse_identities(text: str) -> list[Identity]:
    lines = (line.removesuffix("\r") for line in text.split("\n"))
    keys = [line for line in lines if line and not line.startswith("#")]
    if not keys or not all(map(_SECRET_KEY.fullmatch, keys)):
        raise NeedsSopsError
    try:
        return [x25519.Identity.from_str(key) for key in keys]
    except IdentityError:
        raise NeedsSopsError from None
