"""Decrypt files for age keys without a process: age by pyrage, AES-GCM by cryptography, the rules of sops here.

A file that this reader opens has the same values in sops, and a file that it refuses is refused by sops; every unclear
case is left to sops. Data keys and plaintext are locals of one call, and gone before any error leaves it.
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
# A data key wrapped for exactly one recipient, as sops does it.
_HEADER = re.compile(
    rb"age-encryption\.org/v1\n-> X25519 [A-Za-z0-9+/]{43}\n[A-Za-z0-9+/]{43}\n--- [A-Za-z0-9+/]{43}\n"
)
# A nonce, a data key of 32 bytes, and its tag.
_PAYLOAD_SIZE = 16 + 32 + 16
_COMMENT = "comment"
# The exit codes of sops.
_EXIT_DAMAGED, _EXIT_MAC_MISMATCH, _EXIT_NO_KEY = 25, 51, 128


class _NoMatchingIdentityError(Exception):
    """No identity opens the data key of a file."""


class _MacError(Exception):
    """The values are not those that were encrypted together."""


class NativeDecrypter:
    """A decrypter for files whose recipients are all plain age keys; `fallback` opens other and unclear files."""

    def __init__(self, root: Path, policy: SecretsPolicy, environment: Mapping[str, str], fallback: Decrypter) -> None:
        self._root = root
        self._policy = policy
        self._environment = environment
        self._fallback = fallback
        # The libraries hold the interpreter lock, and waiting for this lock costs less than taking turns.
        self._lock = threading.Lock()

    def decrypt(self, sealed: SecretsFile) -> dict[str, Any]:
        """Return the plain data of a file that the policy allows."""
        if sealed.key_types == {"age"} and self._policy.allows_file(sealed):
            with self._lock:
                outcome = self._decrypt_natively(sealed)
            if isinstance(outcome, dict):
                return outcome
            if outcome is not None:
                # Raised here, where no plaintext or key is reachable from the traceback.
                check_exit_code(outcome, sealed)
        return self._fallback.decrypt(sealed)

    def stop(self) -> None:
        """Stop the fallback; a native decryption does not take long."""
        self._fallback.stop()

    def _decrypt_natively(self, sealed: SecretsFile) -> dict[str, Any] | int | None:
        """Return the plain data, the exit code with which sops refuses the file, or None to leave it to sops."""
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
    decrypter = _TreeDecrypter(cipher)
    plain = decrypter.decrypt_mapping(standard_file.tree, ())
    try:
        expected, _ = _decrypt_text(cipher, standard_file.mac, standard_file.lastmodified)
    except InvalidTag:
        raise _MacError from None
    if not hmac.compare_digest(expected, decrypter.digest()):
        raise _MacError
    return plain


def _unwrap_data_key(wrapped_keys: tuple[tuple[str, str], ...], identities: list[Identity]) -> AESGCM:
    """Return the data key of the first entry that an identity opens; the entry must name this identity.

    Some versions of sops try each identity on each entry; others read only the entries that name an identity.
    """
    for recipient, armored in wrapped_keys:
        wrapped = _decode_armor(armored)
        for identity in identities:
            try:
                cipher = AESGCM(pyrage.decrypt(wrapped, [identity]))
            except pyrage.DecryptError:
                continue
            if str(identity.to_public()) != recipient:
                raise NeedsSopsError
            return cipher
    raise _NoMatchingIdentityError


def _decode_armor(armored: str) -> bytes:
    """Return the bytes of an age file for one plain key; NeedsSopsError for a form that age could read differently."""
    match = _ARMOR.fullmatch(armored)
    body = match["body"].replace("\n", "") if match else ""
    try:
        wrapped = binascii.a2b_base64(body, strict_mode=True)
    except binascii.Error:
        raise NeedsSopsError from None
    header = _HEADER.match(wrapped)
    if header is None or len(wrapped) != header.end() + _PAYLOAD_SIZE or base64.b64encode(wrapped).decode() != body:
        raise NeedsSopsError
    return wrapped


class _TreeDecrypter:
    """A walk that decrypts the tree of a file, in the order in which the MAC covers the values."""

    def __init__(self, cipher: AESGCM) -> None:
        self._cipher = cipher
        self._hash = hashlib.sha512()

    def decrypt_mapping(self, node: Mapping[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
        """Return the plain map at a path."""
        return {key: self._decrypt_node(child, (*path, key)) for key, child in node.items()}

    def digest(self) -> bytes:
        """Return the MAC of all values so far."""
        return self._hash.hexdigest().upper().encode()

    def _decrypt_node(self, node: Any, path: tuple[str, ...]) -> Any:
        if isinstance(node, dict):
            return self.decrypt_mapping(node, path)
        if isinstance(node, list):
            return list(self._decrypt_items(node, path))
        kind, plain = self._decrypt_leaf(node, path)
        return self._hash_and_convert(kind, plain)

    def _decrypt_items(self, node: list[Any], path: tuple[str, ...]) -> Iterator[Any]:
        """Yield the items of a list, without comments; each item is authenticated with the path of the list.

        Comments are decrypted, which authenticates them, and dropped.
        """
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
    """Return the bytes and the type of an encrypted text; InvalidTag if it or its associated data was changed."""
    match = _ENCRYPTED.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise NeedsSopsError
    data, iv, tag = (binascii.a2b_base64(match[part]) for part in ("data", "iv", "tag"))
    return cipher.decrypt(iv, data + tag, associated_data.encode()), match["type"]
