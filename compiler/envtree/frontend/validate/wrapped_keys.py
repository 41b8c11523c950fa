"""Count the keys that can open a wrapped data key, because a file may have more readers than it names.

sops wraps the data key for each reader separately, but in both age and PGP, one wrapping can contain more readers,
which no one would notice.
"""

import re
from base64 import b64decode
from collections.abc import Iterable

_AGE_HEADER, _AGE_STANZA, _AGE_END = b"age-encryption.org/v1\n", b"-> ", b"---"
# A random stanza that the Rust implementation of age adds once, so that readers tolerate unknown ones. No kind of key
# has this name.
_AGE_GREASE = re.compile(rb"-> [!-~]{1,8}-grease(?: [!-~]{1,8}){0,4}")
_PGP_ARMOR = "-----BEGIN "
# Packets with the session key: for one PGP key, and for one passphrase.
_PGP_SESSION_KEYS = frozenset({1, 3})
# Packets with the data that it encrypts. gpg skips packets between the two.
_PGP_DATA = frozenset({9, 18, 20})


def count_recipients(kind: str, wrapped: str) -> int:
    """Return the number of keys that a wrapping for an age or PGP key is for; 0 if it is unknown.

    A wrapping that age cannot read opens with no key at all, and counts as one. gpg reads more forms than this
    function, so a PGP wrapping that cannot be read here is unknown.
    """
    lines = [line for line in wrapped.strip().splitlines() if not line.startswith("-----")]
    if kind.startswith("age"):
        return _count_age_stanzas(_decode_base64(lines)) or 1
    if _PGP_ARMOR not in wrapped:
        return 1
    # The lines above the empty line are headers; the line that begins with `=` is a checksum.
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
    count = offset = 0
    while offset < len(data):
        if not data[offset] & 0x80:
            return 0
        tag, length, offset = _read_pgp_packet(data, offset)
        if tag in _PGP_DATA:
            break
        count += tag in _PGP_SESSION_KEYS
        offset += length
    return count


def _read_pgp_packet(data: bytes, offset: int) -> tuple[int, int, int]:
    """Return the tag of a packet, the length of its body, and the offset of the body."""
    first = data[offset]
    if first & 0x40:
        tag, size = first & 0x3F, data[offset + 1]
        if size < 192:
            return tag, size, offset + 2
        if size < 224:
            return tag, ((size - 192) << 8) + data[offset + 2] + 192, offset + 3
        return tag, int.from_bytes(data[offset + 2 : offset + 6]), offset + 6
    octets = 1 << (first & 3)
    return (first & 0x3F) >> 2, int.from_bytes(data[offset + 1 : offset + 1 + octets]), offset + 1 + octets
