"""Sensitive values of a bundle: as named plaintext, and as entries of the sealed file beside the bundle."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import orjson

from envtree.model.canonical_json import encode_compact
from envtree.model.keypath import KeyPath, format_path
from envtree.model.secrets_file import UNENCRYPTED_SUFFIX

# The file beside a bundle that contains its sensitive values.
SEALED_SECRETS_FILE = "secrets.sops.json"
# The file that replaces `bundle.json` in the secret half of a bundle.
SECRETS_BUNDLE_FILE = "secrets.json"
# The entry of the sealed file with the id of its bundle.
BUNDLE_ID_ENTRY = "id"

_JSON_KEY = "$json"
_INTEGERS = range(-(2**63), 2**63)
# The ciphertext of a text of this length is still within the limits of `parse`.
_MAX_TEXT_LENGTH = 12_000


class NamedSecret(NamedTuple):
    """A secret text, named by its path in a bundle or in a secrets file."""

    name: str
    text: str


def iter_named_secrets(name: str, value: Any) -> Iterator[NamedSecret]:
    """Yield the texts in a secret value, which may be a map or a list."""
    if isinstance(value, dict):
        for child in value.values():
            yield from iter_named_secrets(name, child)
    elif isinstance(value, list):
        for child in value:
            yield from iter_named_secrets(name, child)
    elif value is not None:
        yield NamedSecret(name, value if isinstance(value, str) else json.dumps(value))


def entry_name(path: KeyPath) -> str:
    """Return the name of a value's entry in the sealed file: its dotted path, which always includes the section.

    sops joins keys with ':' and does not encrypt keys that end in '_unencrypted', so a name may contain neither.
    """
    name = format_path(path).replace("%", "%25").replace(":", "%3A")
    return (
        f"{name.removesuffix(UNENCRYPTED_SUFFIX)}%5F{UNENCRYPTED_SUFFIX[1:]}"
        if name.endswith(UNENCRYPTED_SUFFIX)
        else name
    )


def pack_entry(value: Any) -> Any:
    """Encode a value as an entry of the sealed file.

    A short text or integer that sops encrypts and restores exactly is the entry itself. Any other value becomes a map
    whose `$json` is a list of texts: the JSON of the value, in pieces.
    """
    if isinstance(value, str) and 0 < len(value) <= _MAX_TEXT_LENGTH:
        return value
    if isinstance(value, int) and value in _INTEGERS:
        return value
    text = encode_compact(value)
    return {_JSON_KEY: [text[start : start + _MAX_TEXT_LENGTH] for start in range(0, len(text), _MAX_TEXT_LENGTH)]}


def unpack_entry(entry: Any) -> Any:
    """Decode the value of an entry; raise ValueError for an entry that `pack_entry` does not produce."""
    if isinstance(entry, (str, int)):
        return entry
    pieces = entry.get(_JSON_KEY) if isinstance(entry, dict) and len(entry) == 1 else None
    if not isinstance(pieces, list) or not all(isinstance(piece, str) for piece in pieces):
        raise ValueError("an entry of another form")
    return orjson.loads("".join(pieces))
