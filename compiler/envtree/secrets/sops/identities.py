"""Load the age keys of this machine from the places where sops looks for them."""

import os
import re
import stat
import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

from pyrage import IdentityError, x25519

from envtree.secrets.sops.standard_file import NeedsSopsError

# pyrage ships no types.
Identity = Any

_SECRET_KEY = re.compile(r"AGE-SECRET-KEY-1[02-9AC-HJ-NP-Z]{58}")
_DEFAULT_KEY_FILE = "sops/age/keys.txt"
_SIZE_LIMIT = 1 << 20


class KeyPlace(NamedTuple):
    """A place for age keys: a text that holds them, or a file that may not exist."""

    text: str | None
    file: str

    def read(self) -> str | None:
        """Return the text of the place, None for a file that does not exist; NeedsSopsError if it is unreadable."""
        return _read_key_file(self.file) if self.text is None else self.text

    def public_keys(self) -> list[str]:
        """Return the public keys of all keys in the place; NeedsSopsError if they are of another form."""
        text = self.read()
        return [] if text is None else [str(key.to_public()) for key in _parse_identities(text)]


def own_key_place(environment: Mapping[str, str]) -> KeyPlace | None:
    """Return the place of the user's own age keys: the first that the environment names, else the default."""
    if "SOPS_AGE_KEY" in environment:
        return KeyPlace(environment["SOPS_AGE_KEY"], "")
    file = environment.get("SOPS_AGE_KEY_FILE") or _default_key_file(environment)
    return KeyPlace(None, file) if file else None


def make_identity() -> Identity:
    """Return a new key."""
    return x25519.Identity.generate()


def load_identities(environment: Mapping[str, str]) -> list[Identity]:
    """Return all keys of all places; NeedsSopsError if there are none, or one is not a text of plain age keys.

    Keys are read again for each file, as sops does, so that none is kept in memory. A command that prints keys
    (SOPS_AGE_KEY_CMD) is left to sops.
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
    """Return the text of a file, or None if it does not exist."""
    try:
        status = os.stat(path)
        # A pipe can be read only once, and has to be left for sops to read.
        if stat.S_ISREG(status.st_mode) and status.st_size <= _SIZE_LIMIT:
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
