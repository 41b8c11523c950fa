"""Commands that need no key: no sops on the PATH, no key in variables or the home folder, and no network."""

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.waiting import LONG_PATIENCE

ROOT = Path(__file__).parents[3]
# Used if the kernel does not let this user create a network namespace.
NO_SOCKETS = """
import _socket, socket
def refuse(*_, **__):
    raise AssertionError("a socket was opened")
socket.socket = socket.create_connection = socket.getaddrinfo = _socket.socket = _socket.getaddrinfo = refuse
"""
UNSHARE = ["unshare", "--map-root-user", "--net"]


class Machine(NamedTuple):
    """A machine with git, the example, and the output that was compiled from it with a key."""

    folder: Path

    @property
    def out(self) -> Path:
        return self.folder / "out"

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run envtree with no other program than git, and without a network."""
        environ = {
            "PATH": str(self.folder / "bin"),
            "HOME": str(self.folder / "home"),
            "ENVTREE_SOPS": "path",
            "PYTHONPATH": os.pathsep.join([str(self.folder / "code"), str(ROOT / "compiler")]),
        }
        command = [sys.executable, "-m", "envtree", "-C", str(self.folder / "acme"), *arguments]
        return subprocess.run(
            [*without_network(), *command],
            env=environ,
            text=True,
            capture_output=True,
            timeout=LONG_PATIENCE,
            check=False,
        )


@cache
def without_network() -> list[str]:
    """Return the command prefix that starts a program without a network; empty if that is not permitted."""
    program = shutil.which(UNSHARE[0])
    if not program or subprocess.run([*UNSHARE, "true"], capture_output=True, check=False).returncode:
        return []
    return [program, *UNSHARE[1:]]


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Return the bytes and the modification time of every file below a folder."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    folder = tmp_path_factory.mktemp("machine")
    for name in ("bin", "home", "code"):
        (folder / name).mkdir()
    git = shutil.which("git")
    assert git
    (folder / "bin/git").symlink_to(git)
    (folder / "code/sitecustomize.py").write_text(NO_SOCKETS)
    shutil.copytree(ROOT / "examples/acme", folder / "acme")
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environ = {"PATH": path, "PYTHONPATH": str(ROOT / "compiler"), "HOME": str(folder / "home")}
    environ["SOPS_AGE_KEY_FILE"] = str(folder / "acme/age.key")
    command = [sys.executable, "-m", "envtree", "-C", str(folder / "acme"), "compile", "-o", str(folder / "out")]
    subprocess.run(command, env=environ, check=True, capture_output=True)
    # From here on there is no key.
    (folder / "acme/age.key").unlink()
    return Machine(folder)


def test_t56_check_passes(machine: Machine) -> None:
    process = machine.run("check")
    assert process.returncode == 0, process.stderr
    assert "checked 38 bundles" in process.stderr


def test_t56_references_are_compiled_over_what_was_there(machine: Machine) -> None:
    out = machine.folder / "references"
    outputs = []
    for release in ("one", "two"):
        process = machine.run("compile", "--secrets", "ref", "-o", str(out), "--input", f"RELEASE={release}")
        assert process.returncode == 0, process.stderr
        outputs.append(contents(out))
    assert outputs[0].keys() == outputs[1].keys() == contents(machine.out).keys() - {".gitignore"}
    assert not outputs[0].items() & outputs[1].items()


@pytest.mark.parametrize("with_sops", [False, True])
def test_t56_plain_is_the_machines_fault_and_leaves_the_output_as_it_was(machine: Machine, with_sops: bool) -> None:
    before = contents(machine.out)
    assert len(before) > 70
    if with_sops:
        sops = shutil.which("sops", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
        assert sops
        (machine.folder / "bin/sops").symlink_to(sops)
    # An input that changes every bundle, so that a run would have something to write.
    process = machine.run("compile", "-o", str(machine.out), "--input", "RELEASE=next")
    (machine.folder / "bin/sops").unlink(missing_ok=True)
    assert process.returncode == 3, process.stderr
    assert ("ET621" if with_sops else "ET620") in process.stderr
    assert "Traceback" not in process.stderr
    assert contents(machine.out) == before
    assert not list(machine.folder.glob(".out*"))


def test_nothing_gets_out_of_here(machine: Machine) -> None:
    probe = "import socket; socket.create_connection(('127.0.0.1', 9), timeout=1)"
    environ = {"PYTHONPATH": str(machine.folder / "code")}
    process = subprocess.run(
        [*without_network(), sys.executable, "-c", probe], env=environ, capture_output=True, check=False
    )
    assert b"a socket was opened" in process.stderr
    if without_network():
        devices = subprocess.run(
            [*without_network(), "cat", "/proc/net/dev"], capture_output=True, text=True, check=True
        ).stdout
        assert [line.split(":")[0].strip() for line in devices.splitlines()[2:]] == ["lo"]
