"""The targets pass with their seeds, and with every input that once made them fail."""

from pathlib import Path

import pytest

from tests.fuzz.__main__ import NAMES
from tests.fuzz.targets import TARGETS, seeds

FOUND = sorted(path for path in (Path(__file__).parent / "found").glob("*/*") if path.is_file())


def test_each_target_has_a_name_on_the_command_line() -> None:
    assert tuple(TARGETS) == NAMES


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_passes_with_its_seeds(name: str) -> None:
    assert seeds(name)
    for seed in seeds(name):
        TARGETS[name](seed)


def test_targets_pass_with_saved_inputs() -> None:
    for path in FOUND:
        TARGETS[path.parent.name](path.read_bytes())
