"""The real command killed at random moments of a compile: every file is complete, and the next run finishes."""

import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.moments import Moments
from tests.support.rounds import rounds
from tests.support.waiting import LONG_PATIENCE

ROOT = Path(__file__).parents[2]
RELEASES = ("2026.1", "2026.2")
Files = dict[str, bytes]


class Compiler:
    """`envtree compile` on a copy of the example, for one of two releases, in its own process."""

    def __init__(self, folder: Path, secrets: str) -> None:
        shutil.copytree(ROOT / "examples/acme", folder / "acme")
        self._folder, self._secrets, self._moments = folder, secrets, Moments(folder / "moments")

    def start(self, out: str, release: int, call: int = -1) -> subprocess.Popen[bytes]:
        """Start to write into a folder; the process is killed at a call, if it comes that far."""
        command = [sys.executable, "-m", "envtree", "-C", str(self._folder / "acme"), "compile"]
        command += [
            "-o",
            str(self._folder / out),
            "--secrets",
            self._secrets,
            "--input",
            f"RELEASE={RELEASES[release]}",
        ]
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        environ = {"PATH": path, "HOME": str(self._folder), **self._moments.environ(signal.SIGKILL, call)}
        environ["SOPS_AGE_KEY_FILE"] = str(self._folder / "acme/age.key")
        return subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def compile(self, out: str, release: int) -> int:
        """Compile into a folder; return the number of calls."""
        process = self.start(out, release)
        _, stderr = process.communicate(timeout=LONG_PATIENCE)
        assert process.returncode == 0, stderr
        return self._moments.last_count()

    def written(self, out: str) -> Files:
        """Return the files in a folder for its readers, without envtree's own temporary files."""
        folder = self._folder / out
        paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
        return {str(path): (folder / path).read_bytes() for path in paths if not path.parts[0].startswith(".envtree")}


@pytest.mark.slow
@pytest.mark.parametrize(("secrets", "kills"), [("ref", rounds(gate=10, full=50)), ("plain", rounds(gate=4, full=10))])
def test_t83_sigkill_at_random_moments_of_a_compile(tmp_path: Path, secrets: str, kills: int) -> None:
    compiler, rng = Compiler(tmp_path, secrets), random.Random(83)
    for release in (0, 1):
        compiler.compile(f"fresh{release}", release)
    fresh = [compiler.written(f"fresh{release}") for release in (0, 1)]
    # Both releases have the same file names, and no bundle is equal in both.
    assert fresh[0].keys() == fresh[1].keys()
    assert not [path for path in fresh[0] if path.endswith("bundle.json") and fresh[0][path] == fresh[1][path]]
    compiler.compile("out", 0)
    calls = max(compiler.compile("out", release) for release in (1, 0))
    current, killed = 0, 0
    while killed < kills:
        process = compiler.start("out", 1 - current, rng.randrange(calls))
        process.communicate(timeout=LONG_PATIENCE)
        # A process that made fewer calls was not killed, and does not count.
        killed += process.returncode != 0
        files = compiler.written("out")
        assert files.keys() == fresh[0].keys()
        assert not [path for path, content in files.items() if content not in (fresh[0][path], fresh[1][path])]
        current = rng.choice((0, 1))
        compiler.compile("out", current)
        assert compiler.written("out") == fresh[current]
    # A run that has nothing to write takes no lock, and so leaves the file of one that was killed.
    compiler.compile("out", 1 - current)
    assert not list((tmp_path / "out").glob(".envtree*"))
