"""`--jobs`: several processes write and find what one does, and none is left behind."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings

from tests.benchmarks.forms.envtree import write_envtree
from tests.benchmarks.model import Size
from tests.properties.organizations import Organization, organizations
from tests.properties.writing import write_tree
from tests.support.command_line import RunCommand, write_files
from tests.support.divided import read_folder

ROOT = Path(__file__).parents[3]
ORGANIZATION = """\
name: acme
edition: 2026
default_model: m
merge: {config.list: union}
execution_environment: {env_vars: {LEVEL: info}, config: {list: [a], map: {}}}
"""
# A directive of an environment that does something for one project only, and one that does nothing for any.
EFFECTS = {
    "organization.yaml": ORGANIZATION,
    "environments/dev.yaml": "execution_environment: {env_vars: {LEVEL: info, KEPT: x}, "
    "config: {list: {$remove: [b]}}}",
    "environments/prod.yaml": "execution_environment: {env_vars: {KEPT: w}, config: {list: {$remove: [c]}}}",
    "projects/one/project.yaml": "key: ONE\nexecution_environment: {env_vars: {LEVEL: debug}, config: {list: [b]}}",
    "projects/one/agents/a.yaml": "{}",
    "projects/one/agents/b.yaml": "execution_environment: {env_vars: {KEPT: x}}",
    "projects/two/project.yaml": "key: TWO",
    "projects/two/agents/c.yaml": "execution_environment: {env_vars: {KEPT: x}}",
    "projects/two/agents/d.yaml": "execution_environment: {env_vars: {KEPT: z}}",
    "policies/p.yaml": "{schema: {properties: {env_vars: {required: [KEPT]}}}, severity: warning}",
}
TREES: Mapping[str, Mapping[str, str]] = {
    "effects": EFFECTS,
    "a warning in the last share": EFFECTS | {"projects/two/agents/d.yaml": "execution_environment: {config: {x: 08}}"},
    "an error in the last share": EFFECTS
    | {"projects/two/agents/d.yaml": "execution_environment: {env_vars: {X: '${{ nothing }}'}}"},
    "a bundle that no policy lets through": EFFECTS | {"policies/p.yaml": "{schema: {required: [nothing]}}"},
    "a file that is no YAML": EFFECTS | {"projects/two/agents/d.yaml": "a: ["},
    "what does not fit": EFFECTS | {"projects/two/agents/c.yaml": 'execution_environment: {env_vars: {X: "\\u0000"}}'},
}


def divided(tmp_path: Path, *folders: Path) -> list[tuple[bool, bool, list[str]]]:
    """Whether the checks and compiles of trees were divided, and what differed from those in one process."""
    command = [sys.executable, "-m", "tests.support.divided", str(tmp_path / "divided"), *map(str, folders)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    found: list[tuple[bool, bool, list[str]]] = json.loads(done.stdout)
    return found


def test_it_makes_no_difference(tmp_path: Path) -> None:
    for number, files in enumerate(TREES.values()):
        write_files(tmp_path / str(number), files)
    assert divided(tmp_path, *(tmp_path / str(number) for number in range(len(TREES)))) == [
        [True, True, []],
        # All but the first are wrong. A check goes on, and what writes ends, and looks for all that is wrong.
        *([True, compiled, []] for compiled in (True, False, False, False, False)),
    ]


def sample(count: int) -> list[Organization]:
    """Random organizations."""
    found: list[Organization] = []

    @settings(max_examples=count, database=None, deadline=None, phases=[Phase.generate])
    @given(organizations())
    def collect(one: Organization) -> None:
        found.append(one)

    collect()
    return found


@pytest.mark.slow
def test_random_organizations_and_all_cases(tmp_path: Path) -> None:
    folders = sorted((ROOT / "tests/cases").glob("*/*/in"))
    for number, one in enumerate(sample(80)):
        write_tree(tmp_path / str(number), one.tree, one.secrets)
        folders.append(tmp_path / str(number))
    found = divided(tmp_path, *folders)
    assert [wrong for _, _, wrong in found if wrong] == []
    assert sum(checked and compiled for checked, compiled, _ in found) >= 25


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree that is worth two processes."""
    root = tmp_path_factory.mktemp("large")
    write_envtree(Size(4, 2, 3, 4), root)
    return root


# So that there is time to look at it.
CALM = """
import os, time
from envtree.engine import by_project as parted
from envtree.engine import publish
from envtree.__main__ import main
emit = publish.emit
def calmly(*arguments):
    time.sleep(float(os.environ["PAUSE"]))
    return emit(*arguments)
parted._MIN_AGENTS, parted._MIN_SHARE_SIZE, parted._MAX_SHARE_SIZE, publish.emit = 10, 1, 2, calmly
main()
"""


def process(tree: Path, out: Path, pause: float = 0.01) -> "subprocess.Popen[bytes]":
    words = [sys.executable, "-c", CALM, "-C", str(tree), "compile", "--jobs", "2", "-o", str(out)]
    return subprocess.Popen(
        words, env={"PYTHONPATH": str(ROOT / "compiler"), "PAUSE": str(pause)}, stderr=subprocess.PIPE
    )


def children(pid: int) -> list[int]:
    """The processes that one has started."""
    return [int(found) for found in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def begun(work: "subprocess.Popen[bytes]") -> list[int]:
    """Wait until both children are there."""
    deadline = time.monotonic() + 20
    while len(found := children(work.pid)) < 2:
        assert work.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return found


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_all_of_them(number: signal.Signals, large: Path, tmp_path: Path) -> None:
    with process(large, tmp_path / "out", 0.5) as work:
        found = begun(work)
        work.send_signal(number)
        assert work.wait(20) == 128 + number
        assert not any(map(is_there, found))
        assert list(tmp_path.iterdir()) == []


def test_one_that_is_killed_is_no_loss(large: Path, tmp_path: Path, envtree: RunCommand) -> None:
    with process(large, tmp_path / "out") as work:
        os.kill(begun(work)[0], signal.SIGKILL)
        _, err = work.communicate(timeout=60)
    assert (work.returncode, err.decode()) == (0, f"wrote 96 bundles to '{tmp_path / 'out'}'\n")
    assert envtree("-C", str(large), "compile", "-o", str(tmp_path / "alone")).code == 0
    assert read_folder(tmp_path / "out") == read_folder(tmp_path / "alone")


def test_those_of_one_that_is_killed_end_too(large: Path, tmp_path: Path) -> None:
    with process(large, tmp_path / "out") as work:
        found = begun(work)
        work.kill()
        work.wait(20)
        deadline = time.monotonic() + 20
        while any(map(is_there, found)) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not any(map(is_there, found))
    with process(large, tmp_path / "out") as work:
        assert work.wait(60) == 0
    assert len(list((tmp_path / "out").rglob("bundle.json"))) == 96


def test_what_was_written_before_is_replaced(large: Path, tmp_path: Path, envtree: RunCommand) -> None:
    out, alone = tmp_path / "out", tmp_path / "alone"
    for folder in (out, alone):
        assert envtree("-C", str(large), "compile", "-o", str(folder)).code == 0
    for n, path in enumerate(sorted(out.rglob("bundle.json"))):
        path.write_bytes(b"{}") if n % 3 == 0 else None
        path.unlink() if n % 3 == 1 else None
    with process(large, out) as work:
        assert work.wait(60) == 0
    assert read_folder(out) == read_folder(alone)


# Whether there were other processes is told on stdout.
TOLD = """
from envtree.engine import by_project as parted
from envtree.__main__ import main
from envtree.engine.cache import recorded_reads as witness
witness._PARALLEL_THRESHOLD = 1
divided = parted.run_in_processes
def told(*arguments):
    done = divided(*arguments)
    print(done)
    return done
parted._MIN_AGENTS, parted._MIN_SHARE_SIZE, parted._MAX_SHARE_SIZE, parted.run_in_processes = 1, 1, 1, told
main()
"""


def test_what_other_processes_read_is_remembered(large: Path, tmp_path: Path, envtree: RunCommand) -> None:
    root, out, cache = tmp_path / "copy", tmp_path / "out", tmp_path / "cache-of-it"
    shutil.copytree(large, root)
    first, last = sorted(root.glob("projects/*/teams/*/agents/*.yaml"))[:: len(list(root.rglob("agents/*.yaml"))) - 1]

    def compiled() -> str:
        words = [sys.executable, "-c", TOLD, "-C", str(root), "compile", "--jobs", "2", "-o", str(out)]
        environ = {"PYTHONPATH": str(ROOT / "compiler"), "XDG_CACHE_HOME": str(cache)}
        done = subprocess.run(words, env=environ, capture_output=True, check=True)
        assert envtree("-C", str(root), "compile", "-o", str(tmp_path / "alone"), "--no-cache").code == 0
        assert read_folder(out) == read_folder(tmp_path / "alone")
        return done.stdout.decode()

    assert compiled() == "True\n"
    # What has been found in projects is kept, and after that only one of them has to be looked at.
    for path, is_divided in ((first, False), (last, False), (root / "environments/development.yaml", True)):
        path.write_text(path.read_text("utf-8").replace("env_vars:\n", "env_vars:\n    NEW: x\n", 1), "utf-8")
        assert compiled() == ("True\n" if is_divided else "")
        assert compiled() == ""
    with last.open("a") as file:
        file.write("# no more\n")
    assert compiled() == ""


def test_a_number_of_processes(envtree: RunCommand) -> None:
    assert envtree("check", "--jobs", "0").code == 2
    assert envtree("check", "--jobs", "3").code == 0
