"""Compile trees as a whole, and project by project in one process and in several: FOLDER… → what differs, as JSON.

A test run has threads of its own, beside which envtree does not fork.
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
from envtree.engine import by_project as parted
from envtree.engine.by_project import ProjectRunner
from envtree.engine.check import check
from envtree.engine.publish import Destinations, check_outputs, publish
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


def run_result(work: Callable[[], RunOutcome]) -> Any:
    """All that a run says, but for where it read."""
    try:
        return work()._replace(workspace=None)
    except ReportedError as error:
        return error.code, error.message, error.hint


def compile_into(work: Callable[..., RunOutcome], root: Path, out: Path, jobs: int) -> RunOutcome:
    """Compile into a folder, or compare with it."""
    request = tree_request(Tree(root), jobs=jobs, require_inputs=True)
    places = Destinations(Output(out, root, "ref", 2026, {}, lambda _: True))
    return work(request, places, frozenset({"bundle", "compose", "k8s"}))


RUN_ALL = ProjectRunner.run_all


@contextmanager
def force_by_project(least: int) -> Iterator[list[bool]]:
    """Go from project to project in trees of at least so many agents; whether that came to an end each time."""
    done: list[bool] = []

    def each(self: ProjectRunner, stream: Any, put: Any) -> Any:
        found = RUN_ALL(self, stream, put)
        done.append(self.is_done)
        return found

    shares = mock.patch.multiple(parted, _MIN_AGENTS=least, _MIN_SHARE_SIZE=1, _MAX_SHARE_SIZE=1)
    with shares, mock.patch.object(ProjectRunner, "run_all", each):
        yield done


def compare_runs(root: Path, out: Path) -> tuple[bool, bool, list[str]]:
    """Whether the checks and the compiles went from project to project, and what differed from a run over the whole."""
    wrong = []
    with force_by_project(1 << 30):
        whole = run_result(lambda: check(tree_request(Tree(root))))
    with force_by_project(1) as checked:
        wrong += [
            f"check {jobs}"
            for jobs in (1, JOBS)
            if run_result(partial(check, tree_request(Tree(root), jobs=jobs))) != whole
        ]
    compiles: list[bool] = []
    for work in (check_outputs, publish, check_outputs, publish):
        with force_by_project(1 << 30):
            whole = run_result(partial(compile_into, work, root, out / "whole", 1))
        for jobs in (1, JOBS):
            with force_by_project(1) as done:
                if run_result(partial(compile_into, work, root, out / str(jobs), jobs)) != whole:
                    wrong.append(f"{work.__name__} {jobs}")
            compiles += done
            if read_folder(out / str(jobs)) != read_folder(out / "whole"):
                wrong.append(f"output {jobs}")
        # The second time something has to be replaced.
        for folder in ("whole", "1", str(JOBS)) if work is publish else ():
            for path in sorted((out / folder).rglob("bundle.json"))[:1]:
                path.write_bytes(b"")
    return bool(checked) and all(checked), bool(compiles) and all(compiles), wrong


def is_same_diff(base: Path, head: Path) -> bool:
    """Whether what differs between two trees is the same when several processes compare them."""
    one, other = (
        LabelledTree(name, tree_request(Tree(root), jobs=JOBS, allow_empty=True))
        for name, root in (("a", base), ("b", head))
    )
    with force_by_project(1):
        found = compare_by_project(one, other, lambda _: None)
    return found in (None, compare_whole_trees(one, other, lambda _: None))


def main(out: Path, folders: list[Path]) -> None:
    """Compare, each folder with the next one, too, and print what came of it."""
    found = [compare_runs(folder, out / str(n)) for n, folder in enumerate(folders)]
    for one, base, head in zip(found, folders, folders[1:], strict=False):
        one[2].extend([] if is_same_diff(base, head) else ["diff"])
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), list(map(Path, sys.argv[2:])))
