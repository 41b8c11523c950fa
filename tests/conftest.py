"""Options of the test run, and fixtures shared by all tests."""

import gc
import ipaddress
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from envtree.cli import invoke
from envtree.compile.assemble import assemble
from envtree.model.resolved import Bundle, Resolved
from envtree.model.workspace import Organization
from tests.support.command_line import TREE, CommandResult, RunCommand, write_files
from tests.support.programs import missing_program
from tests.support.rounds import IS_FULL

# Seconds for a test that is long, or hostile, by its nature.
_LONG_TIMEOUT = 3600
_LONG_MARKERS = {"slow", "registry", "control_plane", "full", "foreign"}
_UNSET_VARIABLES = ("GITHUB_ACTIONS", "NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "ENVTREE_DEBUG", "SHA")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--accept", action="store_true", help="write the results of the cases as their expectations")


def pytest_configure(config: pytest.Config) -> None:
    # Without a time limit for one example: a machine under load fails no property.
    settings.register_profile("gate", derandomize=True, deadline=None, database=None)
    # In `full` each run draws others; a failure is shown with what repeats it.
    settings.register_profile("random", deadline=None, print_blob=True)
    settings.load_profile("random" if IS_FULL else "gate")
    # A shell makes background processes ignore some signals, and their children inherit this.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGQUIT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    # The tests share a temporary cache, so that they do not touch that of the user.
    os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp(prefix="envtree-tests-")
    config.add_cleanup(lambda: shutil.rmtree(os.environ["XDG_CACHE_HOME"], ignore_errors=True))
    # Without the cache of Python, every process and every worker would compile all modules anew.
    sys.dont_write_bytecode = False
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    _block_network()
    if config.getoption("--accept") and os.environ.get("CI"):
        raise pytest.UsageError("--accept rewrites expectations, which are not reviewed in CI")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Leave out a test that failed because it started a program that this machine lacks."""
    report = yield
    reason = missing_program(call.excinfo.value) if report.failed and call.excinfo else ""
    if reason:
        report.outcome = "skipped"
        report.longrepr = (str(item.path), (item.location[1] or 0) + 1, f"Skipped: {reason}")
    return report


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if any(marker.name in _LONG_MARKERS for marker in item.iter_markers()):
            item.add_marker(pytest.mark.timeout(_LONG_TIMEOUT))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    # The header, which `-q` leaves out, has it too.
    seed = terminalreporter.config.getoption("randomly_seed", None)
    if seed is not None:
        terminalreporter.write_line(f"the order of these tests: --randomly-seed={seed}")


def pytest_collection_finish() -> None:
    # The tests, which are many and stay until the end, are no garbage to search.
    gc.freeze()


def _block_network() -> None:
    """Let tests connect only to loopback addresses, and resolve no other names."""

    def restricted(connect: Any) -> Any:
        def connect_locally(self: Any, address: Any, *rest: Any) -> Any:
            host = address[0] if isinstance(address, tuple) else None
            assert host is None or _is_loopback(host), f"a test reaches beyond this machine: {host}"
            return connect(self, address, *rest)

        return connect_locally

    def resolve_locally(host: Any, *rest: Any, **options: Any) -> Any:
        assert host is None or _is_loopback(host), f"a test reaches beyond this machine: {host}"
        return getaddrinfo(host, *rest, **options)

    getaddrinfo = socket.getaddrinfo
    for name in ("connect", "connect_ex"):
        setattr(socket.socket, name, restricted(getattr(socket.socket, name)))
    socket.getaddrinfo = resolve_locally


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@pytest.fixture
def accept(request: pytest.FixtureRequest) -> bool:
    """Whether to rewrite the expectations."""
    return bool(request.config.getoption("--accept"))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small tree on disk."""
    write_files(tmp_path / "tree", TREE)
    return tmp_path / "tree"


@pytest.fixture
def envtree(tree: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> RunCommand:
    """Return a function that runs a command line in the tree, with variables that affect the output unset."""
    for name in _UNSET_VARIABLES:
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: str) -> CommandResult:
        code = invoke(["-C", str(tree), *arguments])
        sys.stdout.flush()
        return CommandResult(code, *capfd.readouterr())

    return run


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids of the bundles that this process computes."""
    ids: list[str] = []

    def record(resolved: Resolved, organization: Organization) -> Bundle:
        ids.append(resolved.target.id)
        return assemble(resolved, organization)

    monkeypatch.setattr("envtree.engine.run.assemble", record)
    return ids
