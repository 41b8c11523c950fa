"""Verify Bech32, the encoding of age recipients. Its last six characters are a checksum that reveals copying errors."""

import re

_ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BECH32_PATTERN = re.compile(rf"[!-~]+1[{_ALPHABET}]{{6,}}")
_GENERATORS = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)


def is_bech32(text: str) -> bool:
    """Report whether a lower-case text is Bech32 with a valid checksum."""
    if _BECH32_PATTERN.fullmatch(text) is None:
        return False
    prefix, _, data = text.rpartition("1")
    codes = [ord(char) for char in prefix]
    return _polymod([*(code >> 5 for code in codes), 0, *(code & 31 for code in codes), *_decode_data(data)]) == 1


def _decode_data(data: str) -> list[int]:
    return [_ALPHABET.index(char) for char in data]


def _polymod(values: list[int]) -> int:
    checksum = 1
    for value in values:
        top = checksum >> 25
        checksum = (checksum & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(_GENERATORS):
            checksum ^= generator if top >> bit & 1 else 0
    return checksum
