"""What needs no key works without any: no sops on the PATH, no key in variables or at home, and no network."""

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[3]
# Where the kernel does not let this user have a network of its own.
NO_SOCKETS = """
import _socket, socket
def refuse(*_, **__):
    raise AssertionError("a socket was opened")
socket.socket = socket.create_connection = socket.getaddrinfo = _socket.socket = _socket.getaddrinfo = refuse
"""
CUT = ["unshare", "--map-root-user", "--net"]


class Machine(NamedTuple):
    """A machine with git, the example, and what was compiled from it when there was a key."""

    folder: Path

    @property
    def out(self) -> Path:
        return self.folder / "out"

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run envtree with nothing but git at hand, and cut off."""
        environ = {
            "PATH": str(self.folder / "bin"),
            "HOME": str(self.folder / "home"),
            "PYTHONPATH": os.pathsep.join([str(self.folder / "code"), str(ROOT / "compiler")]),
        }
        command = [sys.executable, "-m", "envtree", "-C", str(self.folder / "acme"), *arguments]
        return subprocess.run([*cut(), *command], env=environ, text=True, capture_output=True, timeout=120, check=False)


@cache
def cut() -> list[str]:
    """What starts a program without a network, where that is permitted."""
    program = shutil.which(CUT[0])
    if not program or subprocess.run([*CUT, "true"], capture_output=True, check=False).returncode:
        return []
    return [program, *CUT[1:]]


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Every file below a folder, with when it was written."""
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
    # The key of the example leaves with whoever had it.
    (folder / "acme/age.key").unlink()
    return Machine(folder)


def test_t56_check_passes(machine: Machine) -> None:
    done = machine.run("check")
    assert done.returncode == 0, done.stderr
    assert "checked 38 bundles" in done.stderr


def test_t56_references_are_compiled_over_what_was_there(machine: Machine) -> None:
    out = machine.folder / "references"
    written = []
    for release in ("one", "two"):
        done = machine.run("compile", "--secrets", "ref", "-o", str(out), "--input", f"RELEASE={release}")
        assert done.returncode == 0, done.stderr
        written.append(contents(out))
    assert written[0].keys() == written[1].keys() == contents(machine.out).keys() - {".gitignore"}
    assert not written[0].items() & written[1].items()


@pytest.mark.parametrize("with_sops", [False, True])
def test_t56_plain_is_the_machines_fault_and_leaves_the_output_as_it_was(machine: Machine, with_sops: bool) -> None:
    before = contents(machine.out)
    assert len(before) > 70
    if with_sops:
        sops = shutil.which("sops", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
        assert sops
        (machine.folder / "bin/sops").symlink_to(sops)
    # An input that changes every bundle, so that a run would have something to write.
    done = machine.run("compile", "-o", str(machine.out), "--input", "RELEASE=next")
    (machine.folder / "bin/sops").unlink(missing_ok=True)
    assert done.returncode == 3, done.stderr
    assert ("ET621" if with_sops else "ET620") in done.stderr
    assert "Traceback" not in done.stderr
    assert contents(machine.out) == before
    assert not list(machine.folder.glob(".out*"))


def test_nothing_gets_out_of_here(machine: Machine) -> None:
    probe = "import socket; socket.create_connection(('127.0.0.1', 9), timeout=1)"
    environ = {"PYTHONPATH": str(machine.folder / "code")}
    done = subprocess.run([*cut(), sys.executable, "-c", probe], env=environ, capture_output=True, check=False)
    assert b"a socket was opened" in done.stderr
    if cut():
        listed = subprocess.run([*cut(), "cat", "/proc/net/dev"], capture_output=True, text=True, check=True).stdout
        assert [line.split(":")[0].strip() for line in listed.splitlines()[2:]] == ["lo"]
