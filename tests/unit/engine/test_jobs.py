"""`--jobs`: several processes give the same files and findings as one, and none is left running."""

import json
import os
import shutil
import signal
import subprocess
import sys
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
from tests.support.waiting import PATIENCE, wait_until

ROOT = Path(__file__).parents[3]
ORGANIZATION = """\
name: acme
edition: 2026
default_model: m
merge: {config.list: union}
execution_environment: {env_vars: {LEVEL: info}, config: {list: [a], map: {}}}
"""
# A directive of an environment that has an effect in one project only, and one without effect in any.
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
    """Return for each tree whether check and compile used several processes, and the differences to one process."""
    command = [sys.executable, "-m", "tests.support.divided", str(tmp_path / "divided"), *map(str, folders)]
    completed = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    assert completed.returncode == 0, completed.stderr.decode()
    comparisons: list[tuple[bool, bool, list[str]]] = json.loads(completed.stdout)
    return comparisons


def test_it_makes_no_difference(tmp_path: Path) -> None:
    for number, files in enumerate(TREES.values()):
        write_files(tmp_path / str(number), files)
    assert divided(tmp_path, *(tmp_path / str(number) for number in range(len(TREES)))) == [
        [True, True, []],
        # All trees but the first have findings. `check` continues after errors; `compile` ends, then looks for all.
        *([True, compiled, []] for compiled in (True, False, False, False, False)),
    ]


def sample(count: int) -> list[Organization]:
    """Return random organizations."""
    drawn: list[Organization] = []

    @settings(max_examples=count, database=None, phases=[Phase.generate])
    @given(organizations())
    def collect(organization: Organization) -> None:
        drawn.append(organization)

    collect()
    return drawn


@pytest.mark.full
def test_random_organizations_and_all_cases(tmp_path: Path) -> None:
    folders = sorted((ROOT / "tests/cases").glob("*/*/in"))
    for number, organization in enumerate(sample(80)):
        write_tree(tmp_path / str(number), organization.tree, organization.secrets)
        folders.append(tmp_path / str(number))
    comparisons = divided(tmp_path, *folders)
    assert [differences for _, _, differences in comparisons if differences] == []
    assert sum(checked and compiled for checked, compiled, _ in comparisons) >= 25


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tree large enough for two processes."""
    root = tmp_path_factory.mktemp("large")
    write_envtree(Size(4, 2, 3, 4), root)
    return root


# Let `emit` wait for a file, so that the test can observe the processes.
SLOW_COMPILE = """
import os, time
from envtree.engine import by_project, publish
from envtree.__main__ import main
emit = publish.emit
def slow_emit(*arguments):
    while not os.path.exists(os.environ["GO"]):
        time.sleep(0.01)
    return emit(*arguments)
by_project._MIN_AGENTS, by_project._MIN_SHARE_SIZE, by_project._MAX_SHARE_SIZE = 10, 1, 2
publish.emit = slow_emit
main()
"""


def start_compile(tree: Path, out: Path, go: str | Path = os.devnull) -> "subprocess.Popen[bytes]":
    """Start a compile whose processes wait until a file exists, as /dev/null does."""
    command = [sys.executable, "-c", SLOW_COMPILE, "-C", str(tree), "compile", "--jobs", "2", "-o", str(out)]
    return subprocess.Popen(command, env={"PYTHONPATH": str(ROOT / "compiler"), "GO": str(go)}, stderr=subprocess.PIPE)


def children(pid: int) -> list[int]:
    """Return the ids of the child processes of a process."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def wait_for_children(process: "subprocess.Popen[bytes]") -> list[int]:
    """Wait until both children exist, and return their ids."""

    def have_started() -> bool:
        assert process.poll() is None
        return len(children(process.pid)) == 2

    wait_until(have_started, "two processes")
    return children(process.pid)


def exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_all_of_them(number: signal.Signals, large: Path, tmp_path: Path) -> None:
    with start_compile(large, tmp_path / "out", tmp_path / "never") as process:
        pids = wait_for_children(process)
        process.send_signal(number)
        assert process.wait(PATIENCE) == 128 + number
        assert not any(map(exists, pids))
        assert list(tmp_path.iterdir()) == []


def test_a_killed_child_does_no_harm(large: Path, tmp_path: Path, envtree: RunCommand) -> None:
    go = tmp_path / "go"
    with start_compile(large, tmp_path / "out", go) as process:
        os.kill(wait_for_children(process)[0], signal.SIGKILL)
        go.touch()
        _, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err.decode()) == (0, f"wrote 96 bundles to '{tmp_path / 'out'}'\n")
    assert envtree("-C", str(large), "compile", "-o", str(tmp_path / "alone")).code == 0
    assert read_folder(tmp_path / "out") == read_folder(tmp_path / "alone")


def test_children_of_a_killed_process_end(large: Path, tmp_path: Path) -> None:
    go = tmp_path / "go"
    with start_compile(large, tmp_path / "out", go) as process:
        pids = wait_for_children(process)
        process.kill()
        process.wait(PATIENCE)
        go.touch()
        wait_until(lambda: not any(map(exists, pids)), "the end of the other processes")
    with start_compile(large, tmp_path / "out") as process:
        assert process.wait(PATIENCE) == 0
    assert len(list((tmp_path / "out").rglob("bundle.json"))) == 96


def test_existing_output_is_replaced(large: Path, tmp_path: Path, envtree: RunCommand) -> None:
    out, alone = tmp_path / "out", tmp_path / "alone"
    for folder in (out, alone):
        assert envtree("-C", str(large), "compile", "-o", str(folder)).code == 0
    for n, path in enumerate(sorted(out.rglob("bundle.json"))):
        path.write_bytes(b"{}") if n % 3 == 0 else None
        path.unlink() if n % 3 == 1 else None
    with start_compile(large, out) as process:
        assert process.wait(PATIENCE) == 0
    assert read_folder(out) == read_folder(alone)


# Report on stdout whether there were other processes.
REPORTING_COMPILE = """
from envtree.engine import by_project
from envtree.__main__ import main
from envtree.engine.cache import recorded_reads
recorded_reads._PARALLEL_THRESHOLD = 1
run_in_processes = by_project.run_in_processes
def reporting(*arguments):
    is_complete = run_in_processes(*arguments)
    print(is_complete)
    return is_complete
by_project._MIN_AGENTS, by_project._MIN_SHARE_SIZE, by_project._MAX_SHARE_SIZE = 1, 1, 1
by_project.run_in_processes = reporting
main()
"""


def test_reads_of_other_processes_are_recorded(large: Path, tmp_path: Path, envtree: RunCommand) -> None:
    root, out, cache = tmp_path / "copy", tmp_path / "out", tmp_path / "cache-of-it"
    shutil.copytree(large, root)
    first, last = sorted(root.glob("projects/*/teams/*/agents/*.yaml"))[:: len(list(root.rglob("agents/*.yaml"))) - 1]

    def compile_tree() -> str:
        command = [sys.executable, "-c", REPORTING_COMPILE, "-C", str(root), "compile", "--jobs", "2", "-o", str(out)]
        environ = {"PYTHONPATH": str(ROOT / "compiler"), "XDG_CACHE_HOME": str(cache)}
        completed = subprocess.run(command, env=environ, capture_output=True, check=True)
        assert envtree("-C", str(root), "compile", "-o", str(tmp_path / "alone"), "--no-cache").code == 0
        assert read_folder(out) == read_folder(tmp_path / "alone")
        return completed.stdout.decode()

    assert compile_tree() == "True\n"
    # Project results are cached: after a change in one project only that one is computed.
    for path, is_divided in ((first, False), (last, False), (root / "environments/development.yaml", True)):
        path.write_text(path.read_text("utf-8").replace("env_vars:\n", "env_vars:\n    NEW: x\n", 1), "utf-8")
        assert compile_tree() == ("True\n" if is_divided else "")
        assert compile_tree() == ""
    with last.open("a") as file:
        file.write("# no more\n")
    assert compile_tree() == ""


def test_a_number_of_processes(envtree: RunCommand) -> None:
    assert envtree("check", "--jobs", "0").code == 2
    assert envtree("check", "--jobs", "3").code == 0
