"""The age keys at hand, from the places where sops looks for them."""

import os
import re
import stat
import sys
from collections.abc import Mapping
from typing import Any

from pyrage import IdentityError, x25519

from envtree.secrets.sops.as_written import LeftToSops

# pyrage ships no types.
Identity = Any

_KEY = re.compile(r"AGE-SECRET-KEY-1[02-9AC-HJ-NP-Z]{58}")
_DEFAULT = "sops/age/keys.txt"
_SIZE_LIMIT = 1 << 20


def identities(environment: Mapping[str, str]) -> list[Identity]:
    """Every key of every place; LeftToSops if there is none, or if one is not plain text with plain age keys.

    They are read anew for each file, as sops does, so that none is kept. A command that prints keys is for sops to run.
    """
    if "SOPS_AGE_KEY_CMD" in environment:
        raise LeftToSops
    texts = [environment["SOPS_AGE_KEY"]] if "SOPS_AGE_KEY" in environment else []
    if "SOPS_AGE_KEY_FILE" in environment:
        texts.append(_read(environment["SOPS_AGE_KEY_FILE"]) or "")
    default = _default_file(environment)
    text = _read(default) if default else None
    if text is not None:
        texts.append(text)
    if not texts:
        raise LeftToSops
    return [key for text in texts for key in _parsed(text)]


def _default_file(environment: Mapping[str, str]) -> str | None:
    configuration, home = environment.get("XDG_CONFIG_HOME"), environment.get("HOME")
    if configuration:
        return f"{configuration}/{_DEFAULT}"
    if not home:
        return None
    return f"{home}/{'Library/Application Support' if sys.platform == 'darwin' else '.config'}/{_DEFAULT}"


def _read(path: str) -> str | None:
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
    raise LeftToSops


def _parsed(text: str) -> list[Identity]:
    lines = (line.removesuffix("\r") for line in text.split("\n"))
    keys = [line for line in lines if line and not line.startswith("#")]
    if not keys or not all(map(_KEY.fullmatch, keys)):
        raise LeftToSops
    try:
        return [x25519.Identity.from_str(key) for key in keys]
    except IdentityError:
        raise LeftToSops from None
