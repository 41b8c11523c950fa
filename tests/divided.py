"""Compile trees once alone and once in several processes, in a process that may fork: FOLDER… → what differs, as JSON.

A test run has threads of its own, beside which envtree does not fork.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

from envtree import forked, pipeline
from envtree.artifact import Output
from envtree.diagnostic import ReportedError
from envtree.pipeline import Outcome, Request, check
from envtree.publish import Places, publish

from .test_cases import Tree

JOBS = 3


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def told(work: Callable[[], Outcome]) -> Any:
    """All that a run says, but for where it read."""
    try:
        return work()._replace(workspace=None)
    except ReportedError as error:
        return error.code, error.message, error.hint


def compiled(root: Path, out: Path, jobs: int) -> Outcome:
    """Compile into a folder."""
    request = Request(Tree(root), jobs=jobs, inputs_required=True)
    places = Places(Output(out, root, "ref", 2026, {}, lambda _: True))
    return publish(request, places, frozenset({"bundle", "compose", "k8s"}))


def both(root: Path, out: Path) -> tuple[bool, bool, list[str]]:
    """Whether the checks and the compiles were divided, and what differed."""
    divided: list[bool] = []

    def watched(*arguments: Any) -> Any:
        found = forked.divided(*arguments)
        divided.append(found is not None)
        return found

    wrong = []
    with mock.patch.object(pipeline, "divided", watched):
        if told(lambda: check(Request(Tree(root)))) != told(lambda: check(Request(Tree(root), jobs=JOBS))):
            wrong.append("check")
        checked, divided[:] = any(divided), []
        alone, together = out / "alone", out / "together"
        for _ in range(2):
            if told(lambda: compiled(root, alone, 1)) != told(lambda: compiled(root, together, JOBS)):
                wrong.append("compile")
            if contents(alone) != contents(together):
                wrong.append("output")
            # The second time something has to be replaced.
            for path in (path for folder in (alone, together) for path in sorted(folder.rglob("bundle.json"))[:1]):
                path.write_bytes(b"")
    return checked, any(divided), wrong


def main(out: Path, folders: list[Path]) -> None:
    """Compare, and print what came of each folder."""
    with mock.patch.object(pipeline, "_WORTH", 1):
        print(json.dumps([both(folder, out / str(n)) for n, folder in enumerate(folders)]))


if __name__ == "__main__":
    main(Path(sys.argv[1]), list(map(Path, sys.argv[2:])))
