"""Programs that tests start; a test whose program this machine lacks is left out and counted, and in CI it fails."""

import os

import pytest

from tests.checks.programs import find, install_command


def program(name: str) -> str:
    """Return the path of a program; leave the test out if this machine lacks it, or fail in CI."""
    path = find(name)
    if path is None:
        leave_out(name)
    return str(path)


def leave_out(name: str) -> None:
    """End the running test, which needs a program: the summary of `python tests` counts it."""
    reason = f"needs the program '{name}' ({install_command(name)})"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
