"""Sensitive values outside of the bundle that they belong to: by name and in clear, or sealed in a file beside it."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import orjson

from envtree.model.canonical_json import encode_compact
from envtree.model.keypath import KeyPath, format_path
from envtree.model.secrets_file import UNENCRYPTED_SUFFIX

# The file beside a bundle that holds its sensitive values, and the entry in it that says whose they are.
SEALED_SECRETS_FILE = "secrets.sops.json"
# The file of the secret half of a bundle that stands in the place of `bundle.json`.
SECRETS_BUNDLE_FILE = "secrets.json"
BUNDLE_ID_ENTRY = "id"

_JSON_KEY = "$json"
_INTEGERS = range(-(2**63), 2**63)
# Encrypted, so many characters are still a text that `parse` reads.
_MAX_TEXT_LENGTH = 12_000


class NamedSecret(NamedTuple):
    """A secret text, and what to call it: a place in a bundle, or one in a secrets file."""

    name: str
    text: str


def iter_named_secrets(name: str, value: Any) -> Iterator[NamedSecret]:
    """The texts in a secret value, which may be a map or a list."""
    if isinstance(value, dict):
        for child in value.values():
            yield from iter_named_secrets(name, child)
    elif isinstance(value, list):
        for child in value:
            yield from iter_named_secrets(name, child)
    elif value is not None:
        yield NamedSecret(name, value if isinstance(value, str) else json.dumps(value))


def entry_name(path: KeyPath) -> str:
    """The name of a value in the sealed file: its dotted path, with its section in any case.

    sops joins keys with ':', and leaves what ends in '_unencrypted' as it is; neither may stand in a name.
    """
    name = format_path(path).replace("%", "%25").replace(":", "%3A")
    return (
        f"{name.removesuffix(UNENCRYPTED_SUFFIX)}%5F{UNENCRYPTED_SUFFIX[1:]}"
        if name.endswith(UNENCRYPTED_SUFFIX)
        else name
    )


def pack_entry(value: Any) -> Any:
    """A value as an entry of the sealed file: as it is, if sops encrypts it, gives it back as it was, and it is short.

    Else the entry is a map whose `$json` is a list of texts: the value in JSON, in pieces.
    """
    if isinstance(value, str) and 0 < len(value) <= _MAX_TEXT_LENGTH:
        return value
    if isinstance(value, int) and value in _INTEGERS:
        return value
    text = encode_compact(value)
    return {_JSON_KEY: [text[at : at + _MAX_TEXT_LENGTH] for at in range(0, len(text), _MAX_TEXT_LENGTH)]}


def unpack_entry(entry: Any) -> Any:
    """The value of an entry; raises ValueError for what `packed` never makes."""
    if isinstance(entry, (str, int)):
        return entry
    pieces = entry.get(_JSON_KEY) if isinstance(entry, dict) and len(entry) == 1 else None
    if not isinstance(pieces, list) or not all(isinstance(piece, str) for piece in pieces):
        raise ValueError("an entry of another form")
    return orjson.loads("".join(pieces))
