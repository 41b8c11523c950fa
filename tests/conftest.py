"""Options of the test run."""

import os

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--accept", action="store_true", help="write what the cases produce as what they expect")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--accept") and os.environ.get("CI"):
        raise pytest.UsageError("--accept rewrites expectations, and nobody reviews them in CI")


@pytest.fixture
def accept(request: pytest.FixtureRequest) -> bool:
    """Whether the expectations are to be rewritten."""
    return bool(request.config.getoption("--accept"))
