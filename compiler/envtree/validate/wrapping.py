"""How many keys a wrapped data key can be opened with: what a file says about its readers may be less than is true.

sops wraps the data key for each reader on its own. Both age and PGP could name more readers inside one wrapping, where
nobody would see them.
"""

import binascii
from base64 import b64decode

_AGE_HEAD, _AGE_STANZA, _AGE_END = b"age-encryption.org/v1\n", b"-> ", b"---"
# A packet with the session key for one PGP key.
_PGP_SESSION_KEY = 1


def count_readers(kind: str, wrapped: str) -> int | None:
    """The keys that a wrapping of an age or PGP key is for; None if it cannot be told."""
    lines = [line for line in wrapped.strip().splitlines() if not line.startswith("-----")]
    try:
        if kind.startswith("age"):
            return _age_stanzas(b64decode("".join(lines), validate=True))
        # The lines above the empty one are headers, the one that begins with `=` is a checksum.
        body = lines[lines.index("") + 1 :] if "" in lines else lines
        return _pgp_session_keys(b64decode("".join(line for line in body if line[:1] != "="), validate=True))
    except (binascii.Error, IndexError):
        return None


def _age_stanzas(data: bytes) -> int | None:
    if not data.startswith(_AGE_HEAD):
        return None
    head = data.partition(b"\n" + _AGE_END)[0]
    return sum(line.startswith(_AGE_STANZA) for line in head.split(b"\n"))


def _pgp_session_keys(data: bytes) -> int | None:
    found = at = 0
    while at < len(data):
        if not data[at] & 0x80:
            return None
        tag, length, at = _pgp_packet(data, at)
        if tag != _PGP_SESSION_KEY:
            break
        found += 1
        at += length
    return found


def _pgp_packet(data: bytes, at: int) -> tuple[int, int, int]:
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
