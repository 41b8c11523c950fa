"""Programs that tests start; a test whose program this machine lacks is left out and counted, and in CI it fails."""

import os
import shutil

import pytest

from tests.checks.programs import PROGRAMS, find, install_command


def program(name: str) -> str:
    """Return the path of a program; leave the test out if this machine lacks it, or fail in CI."""
    path = find(name)
    if path is None:
        leave_out(name)
    return str(path)


def leave_out(name: str) -> None:
    """End the running test, which needs a program: the summary of `python tests` counts it."""
    if os.environ.get("CI"):
        pytest.fail(_reason(name))
    pytest.skip(_reason(name))


def missing_program(error: BaseException) -> str:
    """Return why a test is left out that failed with this error, if it started a program that this machine lacks."""
    name = error.filename if isinstance(error, FileNotFoundError) else None
    is_missing = isinstance(name, str) and os.sep not in name and shutil.which(name) is None
    return _reason(name) if is_missing and name in PROGRAMS and not os.environ.get("CI") else ""


def _reason(name: str) -> str:
    return f"needs the program '{name}' ({install_command(name)})"
