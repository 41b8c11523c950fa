"""Options of the test run, and fixtures shared by all tests."""

import gc
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
from hypothesis import settings

from envtree.cli import invoke
from envtree.compile.assemble import assemble
from envtree.model.resolved import Bundle, Resolved
from envtree.model.workspace import Organization
from tests.support.command_line import TREE, CommandResult, RunCommand, write_files

_UNSET_VARIABLES = ("GITHUB_ACTIONS", "NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "ENVTREE_DEBUG", "SHA")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--accept", action="store_true", help="write the results of the cases as their expectations")


def pytest_configure(config: pytest.Config) -> None:
    # Without a time limit for one example: a machine under load fails no property.
    settings.register_profile("envtree", deadline=None)
    settings.load_profile("envtree")
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
