"""Disk errors, injected with strace into one system call of the command: no file is partial, the next run recovers."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.command_line import ORGANIZATION, TREE, write_files
from tests.support.vault import read_folder
from tests.support.waiting import LONG_PATIENCE

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
CLERK = "projects/shop/agents/clerk.yaml"


class Disk:
    """A tree with an older output, and the envtree command over it in separate processes."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.tree, self.out = folder, folder / "tree", folder / "out"
        write_files(self.tree, TREE)
        for release in ("old", "new"):
            layer = f"execution_environment: {{env_vars: {{RELEASE: {release}}}}}\n"
            write_files(self.tree, {"organization.yaml": ORGANIZATION + layer})
            assert self.envtree("compile", "-o", str(folder / release)).returncode == 0
        self.versions = [{}, read_folder(folder / "old"), read_folder(folder / "new")]

    def envtree(self, *words: str, faults: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        trace = ["strace", "--follow-forks", "--quiet=all", f"--output={self.folder / 'trace'}", *faults]
        command = [sys.executable, "-m", "envtree", "-C", str(self.tree), *words, "--no-cache"]
        environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "compiler"), "HOME": str(self.folder)}
        command = [*trace, *command] if faults else command
        return subprocess.run(command, env=environ, text=True, capture_output=True, check=False, timeout=LONG_PATIENCE)

    def failing(self, call: str, error: str, *, existing: bool) -> Iterator[subprocess.CompletedProcess[str]]:
        """Compile with a fault in the first such call, then in the second one, until there are no more calls."""
        number = 0
        while True:
            number += 1
            shutil.rmtree(self.out, ignore_errors=True)
            if existing:
                shutil.copytree(self.folder / "old", self.out)
            result = self.envtree(
                "compile", "-o", str(self.out), faults=(f"--inject={call}:error={error}:when={number}",)
            )
            if "(INJECTED)" not in (self.folder / "trace").read_text():
                return
            yield result

    def written(self) -> dict[str, bytes]:
        """Return the output as its readers see it, without the files of the run itself."""
        files = read_folder(self.out).items()
        return {path: content for path, content in files if not path.startswith(".envtree")}


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path)


@pytest.mark.parametrize(
    ("call", "error", "existing", "times"),
    [
        ("write", "ENOSPC", True, 9),
        ("mkdir", "EROFS", False, 9),
        ("fchmod", "EIO", True, 7),
        ("rename", "EIO", True, 7),
        ("unlink", "EIO", True, 1),
    ],
)
def test_t83_a_disk_that_fails_at_one_call(call: str, error: str, existing: bool, times: int, disk: Disk) -> None:
    faults = 0
    for result in disk.failing(call, error, existing=existing):
        faults += 1
        # The final message may be lost, and a lock that cannot be removed does no harm.
        assert result.returncode == 3 or disk.written() == disk.versions[2], result
        assert result.returncode == 0 or "error ET805" in result.stderr, result
        assert "Traceback" not in result.stderr
        for path, content in disk.written().items():
            assert content in [version.get(path) for version in disk.versions], path
        if call not in ("rename", "unlink"):
            assert disk.written() in disk.versions
        assert disk.envtree("compile", "-o", str(disk.out)).returncode == 0
        assert disk.written() == disk.versions[2]
    assert faults >= times


@pytest.mark.parametrize(
    ("path", "call", "error"),
    [
        (CLERK, "read", "EIO"),
        (CLERK, "openat", "EIO"),
        (CLERK, "openat", "ENFILE"),
        ("projects/shop/agents", "getdents64", "EIO"),
        ("projects/shop/agents", "openat", "EMFILE"),
        ("organization.yaml", "read", "EIO"),
    ],
)
def test_a_source_that_the_disk_fails_to_read(path: str, call: str, error: str, disk: Disk) -> None:
    faults = (f"--trace-path={disk.tree / path}", f"--inject={call}:error={error}")
    shutil.copytree(disk.folder / "old", disk.out)
    for command in (("check",), ("compile", "-o", str(disk.out))):
        result = disk.envtree(*command, faults=faults)
        assert result.returncode == 3, result
        assert result.stderr.startswith(f"error ET805: cannot read '{path}'")
    assert disk.written() == disk.versions[1]
