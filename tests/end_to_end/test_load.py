"""Machine limits and concurrent processes: the output is always the complete old one or the complete new one."""

import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.command_line import ORGANIZATION, TREE, RunCommand, write_files
from tests.support.vault import read_folder
from tests.support.waiting import LONG_PATIENCE, wait_until

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
ENVIRON = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "compiler")}
MANY = 20_000


def command(tree: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "envtree", "-C", str(tree), *words]


def envtree_process(tree: Path, *words: str, limit: int = 0) -> subprocess.CompletedProcess[str]:
    """Run envtree in its own process, which may open at most `limit` files."""

    def set_limit() -> None:
        if limit:
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))

    return subprocess.run(
        command(tree, *words),
        env=ENVIRON,
        check=False,
        capture_output=True,
        text=True,
        preexec_fn=set_limit,
        timeout=LONG_PATIENCE,
    )


def test_too_few_open_files(tree: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert envtree_process(tree, "compile", "-o", str(out)).returncode == 0
    before = read_folder(out)
    write_files(tree, {"organization.yaml": f"{ORGANIZATION}execution_environment: {{env_vars: {{NEW: x}}}}\n"})
    # Python itself does not start with fewer than five.
    for limit in range(5, 40):
        process = envtree_process(tree, "compile", "-o", str(out), limit=limit)
        if process.returncode == 0:
            break
        assert read_folder(out) == before, limit
    assert envtree_process(tree, "compile", "-o", str(out), "--check").returncode == 0


def test_an_output_where_nobody_may_write(tree: Path, tmp_path: Path) -> None:
    read_only = tmp_path / "closed"
    read_only.mkdir(mode=0o555)
    # Even root cannot create a folder in /proc.
    places = [Path("/proc/envtree-out")] + ([read_only / "out"] if os.geteuid() else [])
    for place in places:
        process = envtree_process(tree, "compile", "-o", str(place))
        assert process.returncode == 3, process
        assert "ET805" in process.stderr
        assert "Traceback" not in process.stderr


def test_a_clock_that_jumps(tree: Path, tmp_path: Path, envtree: RunCommand, monkeypatch: pytest.MonkeyPatch) -> None:
    assert envtree("compile", "-o", str(tmp_path / "one")).code == 0
    moments = iter(random.Random(1).choices([0.0, 1e6, 4e9, 1.7e9], k=1_000_000))
    monkeypatch.setattr(time, "time", lambda: next(moments))
    monkeypatch.setattr(time, "time_ns", lambda: int(next(moments) * 1e9))
    assert envtree("compile", "-o", str(tmp_path / "two")).code == 0
    assert envtree("compile", "-o", str(tmp_path / "two"), "--check").code == 0
    assert read_folder(tmp_path / "one") == read_folder(tmp_path / "two")


def test_twenty_thousand_files_in_one_folder(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    write_files(tree, {"organization.yaml": ORGANIZATION, "environments/production.yaml": "{}\n"})
    folder = tree / "agents"
    folder.mkdir()
    for number in range(MANY):
        (folder / f"a{number}.yaml").write_text("{}\n")
    process = envtree_process(tree, "check")
    assert process.returncode == 0, process.stderr[-500:]
    assert f"checked {MANY} bundles" in process.stderr
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 2 << 20


def test_a_file_of_a_mebibyte(tree: Path, tmp_path: Path) -> None:
    lines = [f"    k{number:05}: {'x' * 50}\n" for number in range(15_000)]
    text = "execution_environment:\n  config:\n" + "".join(lines)
    file = tree / "projects/shop/agents/clerk.yaml"
    file.write_text(text + "#" * ((1 << 20) - len(text)))
    process = envtree_process(tree, "compile", "-o", str(tmp_path / "out"))
    assert process.returncode == 0, process.stderr[-500:]
    file.write_text(file.read_text() + "#")
    process = envtree_process(tree, "compile", "-o", str(tmp_path / "other"))
    assert (process.returncode, "ET109" in process.stderr, (tmp_path / "other").exists()) == (1, True, False)


@pytest.mark.parametrize(
    "names", [("Clerk", "clerk"), ("caf\u00e9", "cafe\u0301"), ("stra\u00dfe", "strasse"), ("\u212a", "k")]
)
def test_names_that_some_systems_take_for_one(names: tuple[str, str], tree: Path, tmp_path: Path) -> None:
    for name in names:
        (tree / f"projects/shop/agents/{name}.yaml").write_text("{}\n")
    process = envtree_process(tree, "compile", "-o", str(tmp_path / "out"))
    assert (process.returncode, "ET124" in process.stderr, (tmp_path / "out").exists()) == (1, True, False)


def test_fifty_environments_that_inherit_from_each_other(tmp_path: Path, tree: Path) -> None:
    """A chain in which each environment also names all its indirect parents."""
    for number in range(50):
        parents = ", ".join(f"e{parent}" for parent in range(number - 1, -1, -1))
        section = f"{{env_vars: {{LAST: '{number}', V{number}: '{number}'}}}}"
        text = f"inherits: [{parents}]\nabstract: {'false' if number == 49 else 'true'}\n"
        write_files(tree, {f"environments/e{number}.yaml": f"{text}execution_environment: {section}\n"})
    write_files(tree, {"projects/shop/agents/clerk.yaml": "targets: [e49]\n"})
    process = envtree_process(tree, "show", "shop/clerk@e49", "--format", "json-env")
    assert process.returncode == 0, process.stderr
    for number in range(50):
        assert f'"V{number}"' in process.stdout
    assert '"LAST": "49"' in process.stdout or '"LAST":"49"' in process.stdout


@contextmanager
def edited(tree: Path) -> Iterator[None]:
    """Save files of the tree in pieces, continuously."""
    stop = threading.Event()
    rng = random.Random(4)
    files = [tree / path for path in TREE if path.endswith((".yaml",)) and path != "organization.yaml"]

    def save() -> None:
        while not stop.is_set():
            file = rng.choice(files)
            text = TREE[file.relative_to(tree).as_posix()] + "# " + "x" * rng.randrange(3000) + "\n"
            with file.open("w") as handle:
                for offset in range(0, len(text), 500):
                    handle.write(text[offset : offset + 500])
                    handle.flush()

    thread = threading.Thread(target=save)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_files_that_are_saved_while_they_are_read(tree: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with edited(tree):
        codes = [envtree_process(tree, "compile", "-o", str(out)).returncode for _ in range(25)]

        def has_compiled() -> bool:
            codes.append(envtree_process(tree, "compile", "-o", str(out)).returncode)
            return 0 in codes

        # However rarely this happens to read only whole files.
        wait_until(has_compiled, "a compile of whole files", LONG_PATIENCE)
    # A half-written file is an error or makes another tree; the output is complete in any case.
    assert set(codes) <= {0, 1}
    assert envtree_process(tree, "verify", str(out)).returncode == 0


def test_eight_compilers_at_once_and_kills_among_them(tree: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    rng = random.Random(8)
    for round_number in range(4):
        write_files(
            tree,
            {"organization.yaml": f"{ORGANIZATION}execution_environment: {{env_vars: {{TURN: '{round_number}'}}}}\n"},
        )
        running = [
            subprocess.Popen(command(tree, "compile", "-o", str(out)), env=ENVIRON, stderr=subprocess.DEVNULL)
            for _ in range(8)
        ]
        time.sleep(rng.random())
        rng.choice(running).send_signal(signal.SIGKILL)
        codes = {process.wait(LONG_PATIENCE) for process in running}
        assert codes <= {0, 3, -signal.SIGKILL}, codes
        assert envtree_process(tree, "compile", "-o", str(out)).returncode == 0
        assert envtree_process(tree, "verify", str(out)).returncode == 0
        assert envtree_process(tree, "compile", "-o", str(out), "--check").returncode == 0
