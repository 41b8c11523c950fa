"""Bech32 checksums of age recipients: an added, missing or changed character is detected."""

from pathlib import Path

import pytest

from envtree.frontend.bech32 import is_bech32

KEY = "age1t3kyy3y5sc0sxlu7s9jqu784vvv9udrn0242trjzcha38k7vudeqm68vhu"


# An age recipient, and test vectors of BIP 173.
@pytest.mark.parametrize("text", [KEY, "a12uel5l", "split1checkupstagehandshakeupstreamerranterredcaperred2y9e3w"])
def test_valid_checksums(text: str) -> None:
    assert is_bech32(text)


@pytest.mark.parametrize(
    "text", ["", "age1", "1", KEY.upper(), KEY[:-1], f"{KEY}q", KEY.replace("y3y5", "y35y"), f" {KEY}", "pzry9x0s0muk"]
)
def test_invalid_checksums(text: str) -> None:
    assert not is_bech32(text)


def test_every_changed_character_is_detected() -> None:
    changed = [
        f"{KEY[:index]}{char}{KEY[index + 1 :]}" for index in range(4, len(KEY)) for char in "q0l" if KEY[index] != char
    ]
    assert not any(map(is_bech32, changed))


def test_keys_of_the_examples_are_valid() -> None:
    words = (Path(__file__).parents[3] / "examples/acme/organization.yaml").read_text(encoding="utf-8").split()
    keys = [word.strip("{}[],") for word in words if "age1" in word]
    assert keys
    assert all(map(is_bech32, keys))
