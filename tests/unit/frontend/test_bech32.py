"""The checksum of an age recipient: one letter more, less, or another, and it does not match."""

from pathlib import Path

import pytest

from envtree.frontend.bech32 import is_bech32

KEY = "age1t3kyy3y5sc0sxlu7s9jqu784vvv9udrn0242trjzcha38k7vudeqm68vhu"


# From BIP 173, and one of a plugin.
@pytest.mark.parametrize("text", [KEY, "a12uel5l", "split1checkupstagehandshakeupstreamerranterredcaperred2y9e3w"])
def test_what_is_whole(text: str) -> None:
    assert is_bech32(text)


@pytest.mark.parametrize(
    "text", ["", "age1", "1", KEY.upper(), KEY[:-1], f"{KEY}q", KEY.replace("y3y5", "y35y"), f" {KEY}", "pzry9x0s0muk"]
)
def test_what_is_not(text: str) -> None:
    assert not is_bech32(text)


def test_every_other_letter_is_noticed() -> None:
    others = [
        f"{KEY[:at]}{letter}{KEY[at + 1 :]}" for at in range(4, len(KEY)) for letter in "q0l" if KEY[at] != letter
    ]
    assert not any(map(is_bech32, others))


def test_the_examples_have_whole_keys() -> None:
    found = (Path(__file__).parents[3] / "examples/acme/organization.yaml").read_text(encoding="utf-8").split()
    keys = [word.strip("{}[],") for word in found if "age1" in word]
    assert keys
    assert all(map(is_bech32, keys))
