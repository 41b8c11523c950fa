"""Files for age keys, opened without a process: age by pyrage, AES-GCM by cryptography, and here the rules of sops.

What this opens, sops opens to the same values; what this refuses, sops refuses; whatever it is not sure of is left to
sops. The keys of a file and its plaintext are locals of one call, and gone before any error leaves it.
"""

import base64
import binascii
import hashlib
import hmac
import re
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyrage
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from envtree.model.secrets_file import SealedFile, SecretsPolicy
from envtree.secrets.sops import Decrypter
from envtree.secrets.sops.answer import check_code
from envtree.secrets.sops.as_written import AsWritten, LeftToSops, as_written
from envtree.secrets.sops.identities import Identity, identities
from envtree.secrets.sops.unchanged import read_unchanged
from envtree.secrets.sops.values import value_of

_ENCRYPTED = re.compile(
    r"ENC\[AES256_GCM,data:(?P<data>[A-Za-z0-9+/]+={0,2}),iv:(?P<iv>[A-Za-z0-9+/]{43}=),"
    r"tag:(?P<tag>[A-Za-z0-9+/]{22}==),type:(?P<type>[a-z]+)\]"
)
_ARMOR = re.compile(
    r"-----BEGIN AGE ENCRYPTED FILE-----\n(?P<body>(?:[A-Za-z0-9+/]{64}\n)*[A-Za-z0-9+/]{1,64}={0,2}\n)"
    r"-----END AGE ENCRYPTED FILE-----\n?"
)
# One key pair and nobody else, as sops wraps a data key.
_HEADER = re.compile(
    rb"age-encryption\.org/v1\n-> X25519 [A-Za-z0-9+/]{43}\n[A-Za-z0-9+/]{43}\n--- [A-Za-z0-9+/]{43}\n"
)
# The nonce of the payload, and in it a data key of 32 bytes with its tag.
_PAYLOAD = 16 + 32 + 16
_COMMENT = "comment"
# The exit codes of sops.
_DAMAGED, _MAC_MISMATCH, _NO_KEY = 25, 51, 128


class _NoKeyError(Exception):
    """No identity opens the data key of a file."""


class _MacError(Exception):
    """The values are not those that were encrypted together."""


class NativeDecrypter:
    """Opens files whose recipients are all plain age keys, if one of them is at hand."""

    def __init__(self, root: Path, policy: SecretsPolicy, environment: Mapping[str, str], otherwise: Decrypter) -> None:
        self._root = root
        self._policy = policy
        self._environment = environment
        self._otherwise = otherwise
        # The libraries do not let other threads run, and waiting for a lock costs less than taking turns.
        self._turn = threading.Lock()

    def decrypt(self, sealed: SealedFile) -> dict[str, Any]:
        """The plain data of a file that the policy admits."""
        if sealed.key_types == {"age"} and self._policy.admits(sealed):
            with self._turn:
                outcome = self._open(sealed)
            if isinstance(outcome, dict):
                return outcome
            if outcome is not None:
                # Raised where nothing of the file is in reach of whoever looks at the traceback.
                check_code(outcome, sealed)
        return self._otherwise.decrypt(sealed)

    def stop(self) -> None:
        """End what is running elsewhere; here nothing runs long."""
        self._otherwise.stop()

    def _open(self, sealed: SealedFile) -> dict[str, Any] | int | None:
        """The plain data, the exit code with which sops refuses the file, or None if only sops can tell."""
        data = read_unchanged(self._root, sealed)
        try:
            return _opened(as_written(sealed, data), identities(self._environment))
        except LeftToSops:
            return None
        except _NoKeyError:
            return _NO_KEY
        except InvalidTag:
            return _DAMAGED
        except _MacError:
            return _MAC_MISMATCH


def _opened(written: AsWritten, keys: list[Identity]) -> dict[str, Any]:
    cipher = _data_key(written.entries, keys)
    values = _Values(cipher)
    plain = values.mapping(written.tree, ())
    try:
        expected, _ = _decrypted(cipher, written.mac, written.lastmodified)
    except InvalidTag:
        raise _MacError from None
    if not hmac.compare_digest(expected, values.digest()):
        raise _MacError
    return plain


def _data_key(entries: tuple[tuple[str, str], ...], keys: list[Identity]) -> AESGCM:
    """The data key of the first entry that a key opens, which has to say itself that it is for this key.

    sops asks no such question in some versions, and in others only reads entries that say so.
    """
    for recipient, armored in entries:
        wrapped = _unarmored(armored)
        for key in keys:
            try:
                cipher = AESGCM(pyrage.decrypt(wrapped, [key]))
            except pyrage.DecryptError:
                continue
            if str(key.to_public()) != recipient:
                raise LeftToSops
            return cipher
    raise _NoKeyError


def _unarmored(armored: str) -> bytes:
    """The bytes of an age file for one plain key; LeftToSops for anything that age could read in another way."""
    match = _ARMOR.fullmatch(armored)
    body = match["body"].replace("\n", "") if match else ""
    try:
        wrapped = binascii.a2b_base64(body, strict_mode=True)
    except binascii.Error:
        raise LeftToSops from None
    header = _HEADER.match(wrapped)
    if header is None or len(wrapped) != header.end() + _PAYLOAD or base64.b64encode(wrapped).decode() != body:
        raise LeftToSops
    return wrapped


class _Values:
    """One walk over the tree of a file, in whose order the MAC counts the values."""

    def __init__(self, cipher: AESGCM) -> None:
        self._cipher = cipher
        self._hash = hashlib.sha512()

    def mapping(self, node: Mapping[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
        """The plain map at a path."""
        return {key: self._node(child, (*path, key)) for key, child in node.items()}

    def digest(self) -> bytes:
        """The MAC of all values so far."""
        return self._hash.hexdigest().upper().encode()

    def _node(self, node: Any, path: tuple[str, ...]) -> Any:
        if isinstance(node, dict):
            return self.mapping(node, path)
        if isinstance(node, list):
            return list(self._items(node, path))
        kind, plain = self._leaf(node, path)
        return self._counted(kind, plain)

    def _items(self, node: list[Any], path: tuple[str, ...]) -> Iterator[Any]:
        """The items of a list, which all have the path of the list; comments among them are decrypted and dropped."""
        for item in node:
            if isinstance(item, (dict, list)):
                yield self._node(item, path)
                continue
            kind, plain = self._leaf(item, path)
            if kind != _COMMENT:
                yield self._counted(kind, plain)

    def _leaf(self, text: Any, path: tuple[str, ...]) -> tuple[str, bytes]:
        plain, kind = _decrypted(self._cipher, text, ":".join(path) + ":")
        return kind, plain

    def _counted(self, kind: str, plain: bytes) -> Any:
        self._hash.update(plain)
        return value_of(kind, plain)


def _decrypted(cipher: AESGCM, text: Any, about: str) -> tuple[bytes, str]:
    """The bytes and the type of an encrypted text; InvalidTag if it is not what was encrypted, about this."""
    match = _ENCRYPTED.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise LeftToSops
    data, iv, tag = (binascii.a2b_base64(match[part]) for part in ("data", "iv", "tag"))
    return cipher.decrypt(iv, data + tag, about.encode()), match["type"]
