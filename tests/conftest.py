"""Options of the test run, and the fixtures of the command line."""

import ipaddress
import os
import shutil
import signal
import socket
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from envtree.cli import invoke
from envtree.engine import run as pipeline
from envtree.model.resolved import Bundle, Resolved
from envtree.model.workspace import Organization
from tests.support.command_line import TREE, CommandResult, RunCommand, write_files

_SURROUNDINGS = ("GITHUB_ACTIONS", "NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "ENVTREE_DEBUG", "SHA")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--accept", action="store_true", help="write what the cases produce as what they expect")


def pytest_configure(config: pytest.Config) -> None:
    # A shell has what it starts in the background ignore some signals, and children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGQUIT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    # What the tests leave for each other is gone after them, and nobody's own cache is touched.
    os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp(prefix="envtree-tests-")
    config.add_cleanup(lambda: shutil.rmtree(os.environ["XDG_CACHE_HOME"], ignore_errors=True))
    _stay_on_this_machine()
    if config.getoption("--accept") and os.environ.get("CI"):
        raise pytest.UsageError("--accept rewrites expectations, and nobody reviews them in CI")


def _stay_on_this_machine() -> None:
    """No test connects to anything but this machine, nor asks for the address of anything else."""

    def guarded(ask: Any) -> Any:
        def ask_here(self: Any, address: Any, *more: Any) -> Any:
            host = address[0] if isinstance(address, tuple) else None
            assert host is None or _is_here(host), f"a test reaches beyond this machine: {host}"
            return ask(self, address, *more)

        return ask_here

    def look_up(host: Any, *more: Any, **options: Any) -> Any:
        assert host is None or _is_here(host), f"a test reaches beyond this machine: {host}"
        return getaddrinfo(host, *more, **options)

    getaddrinfo = socket.getaddrinfo
    for name in ("connect", "connect_ex"):
        setattr(socket.socket, name, guarded(getattr(socket.socket, name)))
    socket.getaddrinfo = look_up


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@pytest.fixture
def accept(request: pytest.FixtureRequest) -> bool:
    """Whether the expectations are to be rewritten."""
    return bool(request.config.getoption("--accept"))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small tree on disk."""
    write_files(tmp_path / "tree", TREE)
    return tmp_path / "tree"


@pytest.fixture
def envtree(tree: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> RunCommand:
    """Run a command line in the tree, in plain surroundings."""
    for name in _SURROUNDINGS:
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: str) -> CommandResult:
        code = invoke(["-C", str(tree), *arguments])
        sys.stdout.flush()
        return CommandResult(code, *capfd.readouterr())

    return run


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids of the bundles that this process computes."""
    found: list[str] = []
    bundle = pipeline.assemble  # type: ignore[attr-defined]

    def noted(resolved: Resolved, organization: Organization) -> Bundle:
        found.append(resolved.target.id)
        return bundle(resolved, organization)

    monkeypatch.setattr(pipeline, "assemble", noted)
    return found
