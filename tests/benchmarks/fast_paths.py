"""Time each fast path beside the slow path that it replaces, in alternation, and check that both return the same.

`python -m tests.benchmarks.fast_paths --size M` prints one line per pair; compiler/fast-paths.md quotes them.
"""

from __future__ import annotations

import argparse
import gc
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

from envtree.cli.support.incremental_check import IncrementalChecker
from envtree.cli.support.session import tree_request
from envtree.compile.layer import layer
from envtree.compile.merge import merge
from envtree.compile.resolve.expression_compiler import ExpressionCompiler
from envtree.engine.by_project import ProjectRunner
from envtree.engine.check import check
from envtree.engine.run import Run
from envtree.frontend.parse import parse
from envtree.frontend.parse.yaml_events import fastest_backend
from envtree.frontend.schemas import Schemas
from envtree.model.diagnostic import Diagnostics
from envtree.model.expression import NamePath
from envtree.model.nodes import Document
from envtree.model.source import Source
from envtree.queries.diff import LabelledTree
from envtree.queries.diff.by_project import compare_by_project
from envtree.queries.diff.whole_tree import compare_whole_trees
from envtree.sources.tree import DirectoryTree
from tests.benchmarks.forms.envtree import write_envtree
from tests.benchmarks.measure import MEMORY_DISK
from tests.benchmarks.model import SIZES


class Pair(NamedTuple):
    """A fast path and its slow twin: two functions with equal results."""

    name: str
    fast: Callable[[], Any]
    slow: Callable[[], Any]


def pairs(root: Path, cache: Path) -> Iterator[Pair]:
    """All pairs over one tree."""
    run = Run(tree_request(DirectoryTree(root)))
    documents = [resource.document for resource in run.files.values()]
    yield _parsing(root, documents)
    yield _validating(documents)
    yield from _merging(run)
    yield _expressions()
    yield _by_project(root)
    yield _comparing(root)
    yield _watching(root)
    yield from _running_again(root, cache)
    yield _starting()


def _parsing(root: Path, documents: list[Document]) -> Pair:
    sources = [
        Source(document.path, document.location, (root / document.path).read_bytes(), document.digest)
        for document in documents
    ]

    def read(backend: Any) -> list[Any]:
        return [getattr(parse(source, Diagnostics(), backend=backend), "root", None) for source in sources]

    return Pair("plain block form", partial(read, None), partial(read, fastest_backend()))


def _validating(documents: list[Document]) -> Pair:
    schemas = Schemas()
    kinds = [(document.location.kind.value, document.root.value) for document in documents]
    return Pair(
        "jsonschema-rs verdict",
        lambda: [not schemas.is_valid(kind, data) for kind, data in kinds],
        lambda: [bool(schemas.find_faults(kind, data)) for kind, data in kinds],
    )


def _merging(run: Run) -> Iterator[Pair]:
    assert run.workspace
    organization, stacks = run.workspace.organization, list(layer(run.workspace, run.is_selected))
    yield Pair(
        "shared layer prefixes",
        lambda: [merged.sections.keys() for merged in merge(stacks, organization, Diagnostics())],
        lambda: [merged.sections.keys() for stack in stacks for merged in merge([stack], organization, Diagnostics())],
    )


def _expressions() -> Pair:
    texts = [f"${{{{ config.key{number}.port }}}}" for number in range(5000)]

    def compile_all() -> list[NamePath]:
        compiler = ExpressionCompiler()
        return [compiler.compile(text).references[0].path for text in texts]

    def without_plain_names() -> list[NamePath]:
        with mock.patch("envtree.compile.resolve.expression_compiler._PLAIN_NAME") as pattern:
            pattern.fullmatch.return_value = None
            return compile_all()

    return Pair("dotted names without Jinja2", compile_all, without_plain_names)


def _by_project(root: Path) -> Pair:
    def whole() -> Any:
        with mock.patch.object(ProjectRunner, "is_possible", return_value=False):
            return _checked(root, 1)

    return Pair("project by project, all processors", lambda: _checked(root, os.cpu_count() or 1), whole)


def _checked(root: Path, jobs: int) -> Any:
    outcome = check(tree_request(DirectoryTree(root), jobs=jobs))
    return outcome.findings, len(outcome.ids)


def _comparing(root: Path) -> Pair:
    other = root.with_name("changed")
    base, head = (
        LabelledTree(name, tree_request(DirectoryTree(folder), allow_empty=True))
        for name, folder in (("base", root), ("head", other))
    )
    return Pair(
        "diff project by project",
        lambda: compare_by_project(base, head, lambda scope: None),
        lambda: compare_whole_trees(base, head, lambda scope: None),
    )


def _watching(root: Path) -> Pair:
    checker = IncrementalChecker()
    request = tree_request(DirectoryTree(root))
    checker.check(request)
    return Pair(
        "watch: nothing changed",
        lambda: checker.check(request)[0].findings,
        lambda: check(request).findings,
    )


def _running_again(root: Path, cache: Path) -> Iterator[Pair]:
    agent = next(path for path in sorted(root.rglob("*.yaml")) if path.parent.name == "agents")

    def run(*arguments: str, edit: bool = False) -> tuple[int, bytes]:
        if edit:
            agent.write_bytes(agent.read_bytes() + b"# edited\n")
        command = [sys.executable, "-m", "envtree", "check", *arguments]
        environ = {**os.environ, "XDG_CACHE_HOME": str(cache)}
        done = subprocess.run(command, cwd=root, env=environ, capture_output=True, check=False)
        return done.returncode, done.stdout

    for _ in range(2):
        run(edit=True)
    yield Pair("check again: nothing changed", run, partial(run, "--no-cache"))
    yield Pair("check again: one agent edited", partial(run, edit=True), partial(run, "--no-cache", edit=True))


def _starting() -> Pair:
    def run(*arguments: str) -> bytes:
        return subprocess.run([sys.executable, *arguments], capture_output=True, check=True).stdout

    eager = "import envtree.cli.commands.compile, envtree.cli, sys; sys.exit(envtree.cli.invoke(['--version']))"
    return Pair("declarations apart: --version", partial(run, "-m", "envtree", "--version"), partial(run, "-c", eager))


def measure(pair: Pair, rounds: int) -> str:
    """Run both in turns; one line with the medians and the ratio."""
    seconds: dict[str, list[float]] = {"fast": [], "slow": []}
    for _ in range(rounds):
        results = []
        for name, work in (("fast", pair.fast), ("slow", pair.slow)):
            start = time.perf_counter()
            results.append(work())
            seconds[name].append(time.perf_counter() - start)
        if results[0] != results[1]:
            sys.exit(f"{pair.name}: the fast path and the slow one differ")
    fast, slow = (statistics.median(times) for times in seconds.values())
    return f"{pair.name:36} {fast:9.3f} s  {slow:9.3f} s  {slow / fast:7.1f} times"


def main() -> None:
    """Measure all pairs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=SIZES, default="S")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    # As the command line does; the objects of the other pairs would be looked at again and again.
    gc.disable()
    with tempfile.TemporaryDirectory(dir=MEMORY_DISK) as folder:
        root, changed = Path(folder, "tree"), Path(folder, "changed")
        for place in (root, changed):
            write_envtree(SIZES[options.size], place)
        agent = next(path for path in sorted(changed.rglob("*.yaml")) if path.parent.name == "agents")
        agent.write_text(agent.read_text("utf-8").replace("  env_vars:\n", "  env_vars:\n    ADDED: x\n", 1), "utf-8")
        print(f"{'fast path':36} {'fast':>11}  {'slow':>11}  {'ratio':>13}")
        for pair in pairs(root, Path(folder, "cache")):
            print(measure(pair, options.rounds), flush=True)


if __name__ == "__main__":
    main()
