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

from envtree.engine.decryption import Decrypter
from envtree.model.secrets_file import SecretsFile, SecretsPolicy
from envtree.secrets.sops.identities import Identity, load_identities
from envtree.secrets.sops.read_unchanged import read_unchanged
from envtree.secrets.sops.results import check_exit_code
from envtree.secrets.sops.standard_file import NeedsSopsError, StandardFile, parse_standard_file
from envtree.secrets.sops.typed_values import parse_typed_value

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
_EXIT_DAMAGED, _EXIT_MAC_MISMATCH, _EXIT_NO_KEY = 25, 51, 128


class _NoMatchingIdentityError(Exception):
    """No identity opens the data key of a file."""


class _MacError(Exception):
    """The values are not those that were encrypted together."""


class NativeDecrypter:
    """Opens files whose recipients are all plain age keys, if one of them is at hand."""

    def __init__(self, root: Path, policy: SecretsPolicy, environment: Mapping[str, str], fallback: Decrypter) -> None:
        self._root = root
        self._policy = policy
        self._environment = environment
        self._fallback = fallback
        # The libraries do not let other threads run, and waiting for a lock costs less than taking turns.
        self._lock = threading.Lock()

    def decrypt(self, sealed: SecretsFile) -> dict[str, Any]:
        """The plain data of a file that the policy admits."""
        if sealed.key_types == {"age"} and self._policy.allows_file(sealed):
            with self._lock:
                outcome = self._decrypt_natively(sealed)
            if isinstance(outcome, dict):
                return outcome
            if outcome is not None:
                # Raised where nothing of the file is in reach of whoever looks at the traceback.
                check_exit_code(outcome, sealed)
        return self._fallback.decrypt(sealed)

    def stop(self) -> None:
        """End what is running elsewhere; here nothing runs long."""
        self._fallback.stop()

    def _decrypt_natively(self, sealed: SecretsFile) -> dict[str, Any] | int | None:
        """The plain data, the exit code with which sops refuses the file, or None if only sops can tell."""
        data = read_unchanged(self._root, sealed)
        try:
            return _decrypt_file(parse_standard_file(sealed, data), load_identities(self._environment))
        except NeedsSopsError:
            return None
        except _NoMatchingIdentityError:
            return _EXIT_NO_KEY
        except InvalidTag:
            return _EXIT_DAMAGED
        except _MacError:
            return _EXIT_MAC_MISMATCH


def _decrypt_file(standard_file: StandardFile, identities: list[Identity]) -> dict[str, Any]:
    cipher = _unwrap_data_key(standard_file.wrapped_keys, identities)
    values = _TreeDecrypter(cipher)
    plain = values.decrypt_mapping(standard_file.tree, ())
    try:
        expected, _ = _decrypt_text(cipher, standard_file.mac, standard_file.lastmodified)
    except InvalidTag:
        raise _MacError from None
    if not hmac.compare_digest(expected, values.digest()):
        raise _MacError
    return plain


def _unwrap_data_key(wrapped_keys: tuple[tuple[str, str], ...], identities: list[Identity]) -> AESGCM:
    """The data key of the first entry that a key opens, which has to say itself that it is for this key.

    sops asks no such question in some versions, and in others only reads entries that say so.
    """
    for recipient, armored in wrapped_keys:
        wrapped = _decode_armor(armored)
        for key in identities:
            try:
                cipher = AESGCM(pyrage.decrypt(wrapped, [key]))
            except pyrage.DecryptError:
                continue
            if str(key.to_public()) != recipient:
                raise NeedsSopsError
            return cipher
    raise _NoMatchingIdentityError


def _decode_armor(armored: str) -> bytes:
    """The bytes of an age file for one plain key; LeftToSops for anything that age could read in another way."""
    match = _ARMOR.fullmatch(armored)
    body = match["body"].replace("\n", "") if match else ""
    try:
        wrapped = binascii.a2b_base64(body, strict_mode=True)
    except binascii.Error:
        raise NeedsSopsError from None
    header = _HEADER.match(wrapped)
    if header is None or len(wrapped) != header.end() + _PAYLOAD or base64.b64encode(wrapped).decode() != body:
        raise NeedsSopsError
    return wrapped


class _TreeDecrypter:
    """One walk over the tree of a file, in whose order the MAC counts the values."""

    def __init__(self, cipher: AESGCM) -> None:
        self._cipher = cipher
        self._hash = hashlib.sha512()

    def decrypt_mapping(self, node: Mapping[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
        """The plain map at a path."""
        return {key: self._decrypt_node(child, (*path, key)) for key, child in node.items()}

    def digest(self) -> bytes:
        """The MAC of all values so far."""
        return self._hash.hexdigest().upper().encode()

    def _decrypt_node(self, node: Any, path: tuple[str, ...]) -> Any:
        if isinstance(node, dict):
            return self.decrypt_mapping(node, path)
        if isinstance(node, list):
            return list(self._decrypt_items(node, path))
        kind, plain = self._decrypt_leaf(node, path)
        return self._hash_and_convert(kind, plain)

    def _decrypt_items(self, node: list[Any], path: tuple[str, ...]) -> Iterator[Any]:
        """The items of a list, which all have the path of the list; comments among them are decrypted and dropped."""
        for item in node:
            if isinstance(item, (dict, list)):
                yield self._decrypt_node(item, path)
                continue
            kind, plain = self._decrypt_leaf(item, path)
            if kind != _COMMENT:
                yield self._hash_and_convert(kind, plain)

    def _decrypt_leaf(self, text: Any, path: tuple[str, ...]) -> tuple[str, bytes]:
        plain, kind = _decrypt_text(self._cipher, text, ":".join(path) + ":")
        return kind, plain

    def _hash_and_convert(self, kind: str, plain: bytes) -> Any:
        self._hash.update(plain)
        return parse_typed_value(kind, plain)


def _decrypt_text(cipher: AESGCM, text: Any, associated_data: str) -> tuple[bytes, str]:
    """The bytes and the type of an encrypted text; InvalidTag if it is not what was encrypted, about this."""
    match = _ENCRYPTED.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise NeedsSopsError
    data, iv, tag = (binascii.a2b_base64(match[part]) for part in ("data", "iv", "tag"))
    return cipher.decrypt(iv, data + tag, associated_data.encode()), match["type"]
