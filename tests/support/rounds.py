"""How often a test repeats something random: few times in the gate, many in `python tests full`."""

import os

from tests.checks.sessions import FULL_VARIABLE

IS_FULL = os.environ.get(FULL_VARIABLE) == "full"


def rounds(*, gate: int, full: int) -> int:
    """Return the number of rounds of this run."""
    return full if IS_FULL else gate
