"""Bech32, the spelling of age recipients: its last six characters tell whether one was copied whole."""

import re

_ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BECH32_PATTERN = re.compile(rf"[!-~]+1[{_ALPHABET}]{{6,}}")
_GENERATORS = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)


def is_bech32(text: str) -> bool:
    """Whether a text in lower case is Bech32 and its checksum is right."""
    if _BECH32_PATTERN.fullmatch(text) is None:
        return False
    prefix, _, data = text.rpartition("1")
    letters = [ord(letter) for letter in prefix]
    return _polymod([*(each >> 5 for each in letters), 0, *(each & 31 for each in letters), *_decode_data(data)]) == 1


def _decode_data(data: str) -> list[int]:
    return [_ALPHABET.index(letter) for letter in data]


def _polymod(values: list[int]) -> int:
    remainder = 1
    for value in values:
        top = remainder >> 25
        remainder = (remainder & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(_GENERATORS):
            remainder ^= generator if top >> bit & 1 else 0
    return remainder
