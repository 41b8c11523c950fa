"""Compile trees as a whole, and project by project in one process and in several; print the differences as JSON.

The arguments are an output folder and the trees. It runs in its own process, as pytest has threads, and envtree does
not fork in a process with threads.
"""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

from envtree.cli.support.session import tree_request
from envtree.engine import by_project
from envtree.engine.by_project import ProjectRunner
from envtree.engine.check import check
from envtree.engine.publish import CompilePlan, Destinations, check_outputs, publish
from envtree.engine.request import RunOutcome
from envtree.model.artifact import Output
from envtree.model.diagnostic import ReportedError
from envtree.queries.diff import LabelledTree
from envtree.queries.diff.by_project import compare_by_project
from envtree.queries.diff.whole_tree import compare_whole_trees
from tests.cases.test_cases import Tree

JOBS = 3


def read_folder(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def run_result(start: Callable[[], RunOutcome]) -> Any:
    """Return the outcome of a run without its workspace, or its error."""
    try:
        return start()._replace(workspace=None)
    except ReportedError as error:
        return error.code, error.message, error.hint


def compile_into(action: Callable[[CompilePlan], RunOutcome], root: Path, out: Path, jobs: int) -> RunOutcome:
    """Compile into a folder, or compare with it; `action` is `publish` or `check_outputs`."""
    request = tree_request(Tree(root), jobs=jobs, require_inputs=True)
    output = Output(out, tree_root=root, mode="ref", edition=2026, inputs={}, is_selected=lambda _: True)
    return action(CompilePlan(request, Destinations(output), frozenset({"bundle", "compose", "k8s"})))


RUN_ALL = ProjectRunner.run_all


@contextmanager
def force_by_project(least: int) -> Iterator[list[bool]]:
    """Run trees of at least `least` agents project by project; yield a list of whether each such run was completed."""
    completed: list[bool] = []

    def run_all(self: ProjectRunner, stream: Any, put: Any) -> Any:
        results = RUN_ALL(self, stream, put)
        completed.append(self.is_done)
        return results

    shares = mock.patch.multiple(by_project, _MIN_AGENTS=least, _MIN_SHARE_SIZE=1, _MAX_SHARE_SIZE=1)
    with shares, mock.patch.object(ProjectRunner, "run_all", run_all):
        yield completed


def compare_runs(root: Path, out: Path) -> tuple[bool, bool, list[str]]:
    """Return whether all checks and all compiles ran by project, and the names of runs with other results."""
    differing = []
    with force_by_project(1 << 30):
        whole = run_result(lambda: check(tree_request(Tree(root))))
    with force_by_project(1) as checked:
        differing += [
            f"check {jobs}"
            for jobs in (1, JOBS)
            if run_result(partial(check, tree_request(Tree(root), jobs=jobs))) != whole
        ]
    compiles: list[bool] = []
    for action in (check_outputs, publish, check_outputs, publish):
        with force_by_project(1 << 30):
            whole = run_result(partial(compile_into, action, root, out / "whole", 1))
        for jobs in (1, JOBS):
            with force_by_project(1) as compiled:
                if run_result(partial(compile_into, action, root, out / str(jobs), jobs)) != whole:
                    differing.append(f"{action.__name__} {jobs}")
            compiles += compiled
            if read_folder(out / str(jobs)) != read_folder(out / "whole"):
                differing.append(f"output {jobs}")
        # Damage the outputs, so that the second run has to replace something.
        for folder in ("whole", "1", str(JOBS)) if action is publish else ():
            for path in sorted((out / folder).rglob("bundle.json"))[:1]:
                path.write_bytes(b"")
    return bool(checked) and all(checked), bool(compiles) and all(compiles), differing


def is_same_diff(base: Path, head: Path) -> bool:
    """Whether the diff of two trees is the same when several processes compare them."""
    base_tree, head_tree = (
        LabelledTree(name, tree_request(Tree(root), jobs=JOBS, allow_empty=True))
        for name, root in (("a", base), ("b", head))
    )
    with force_by_project(1):
        differences = compare_by_project(base_tree, head_tree, lambda _: None)
    return differences in (None, compare_whole_trees(base_tree, head_tree, lambda _: None))


def main(out: Path, folders: list[Path]) -> None:
    """Compare the runs of each folder, and the diffs of neighbouring folders; print the results."""
    results = [compare_runs(folder, out / str(n)) for n, folder in enumerate(folders)]
    for result, base, head in zip(results, folders, folders[1:], strict=False):
        result[2].extend([] if is_same_diff(base, head) else ["diff"])
    print(json.dumps(results))


if __name__ == "__main__":
    main(Path(sys.argv[1]), list(map(Path, sys.argv[2:])))
