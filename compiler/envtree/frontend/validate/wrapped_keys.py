"""How many keys a wrapped data key can be opened with: what a file says about its readers may be less than is true.

sops wraps the data key for each reader on its own. Both age and PGP could name more readers inside one wrapping, where
nobody would see them.
"""

import re
from base64 import b64decode
from collections.abc import Iterable

_AGE_HEADER, _AGE_STANZA, _AGE_END = b"age-encryption.org/v1\n", b"-> ", b"---"
# What age in Rust adds once, lest anybody relies on there being nothing unknown. No kind of key is called so.
_AGE_GREASE = re.compile(rb"-> [!-~]{1,8}-grease(?: [!-~]{1,8}){0,4}")
_PGP_ARMOR = "-----BEGIN "
# Packets with the session key: for one PGP key, and for one passphrase.
_PGP_SESSION_KEYS = frozenset({1, 3})
# Packets with what it encrypts. What stands between the ones and the others, gpg passes over.
_PGP_DATA = frozenset({9, 18, 20})


def count_recipients(kind: str, wrapped: str) -> int:
    """The keys that a wrapping of an age or PGP key is for; 0 if it cannot be told.

    What age cannot read opens with no key at all, and may pass for one. gpg reads much that is not understood here.
    """
    lines = [line for line in wrapped.strip().splitlines() if not line.startswith("-----")]
    if kind.startswith("age"):
        return _count_age_stanzas(_decode_base64(lines)) or 1
    if _PGP_ARMOR not in wrapped:
        return 1
    # The lines above the empty one are headers, the one that begins with `=` is a checksum.
    body = lines[lines.index("") + 1 :] if "" in lines else lines
    try:
        return _count_pgp_session_keys(_decode_base64(line for line in body if line[:1] != "="))
    except IndexError:
        return 0


def _decode_base64(lines: Iterable[str]) -> bytes:
    try:
        return b64decode("".join(lines), validate=True)
    except ValueError:
        return b""


def _count_age_stanzas(data: bytes) -> int:
    if not data.startswith(_AGE_HEADER):
        return 0
    head = data.partition(b"\n" + _AGE_END)[0]
    stanzas = [line for line in head.split(b"\n") if line.startswith(_AGE_STANZA)]
    return len(stanzas) - any(map(_AGE_GREASE.fullmatch, stanzas))


def _count_pgp_session_keys(data: bytes) -> int:
    found = at = 0
    while at < len(data):
        if not data[at] & 0x80:
            return 0
        tag, length, at = _read_pgp_packet(data, at)
        if tag in _PGP_DATA:
            break
        found += tag in _PGP_SESSION_KEYS
        at += length
    return found


def _read_pgp_packet(data: bytes, at: int) -> tuple[int, int, int]:
    """The tag of a packet, the length of its body, and where that begins."""
    first = data[at]
    if first & 0x40:
        tag, size = first & 0x3F, data[at + 1]
        if size < 192:
            return tag, size, at + 2
        if size < 224:
            return tag, ((size - 192) << 8) + data[at + 2] + 192, at + 3
        return tag, int.from_bytes(data[at + 2 : at + 6]), at + 6
    octets = 1 << (first & 3)
    return (first & 0x3F) >> 2, int.from_bytes(data[at + 1 : at + 1 + octets]), at + 1 + octets
