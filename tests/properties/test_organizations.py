"""Random organizations: envtree agrees with the naive model, and the output does not depend on the machine."""

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, assume, event, given, settings

from envtree import EDITION
from envtree.cli.support.session import tree_request
from envtree.engine.check import check
from envtree.engine.publish import CompilePlan, Destinations, publish
from envtree.model.artifact import Output
from envtree.model.diagnostic import Severity
from envtree.sources.tree import DirectoryTree
from tests.properties.layering import Tree
from tests.properties.merging import Conflict
from tests.properties.model import Bundle, canonical, compile_model
from tests.properties.organizations import Organization, organizations
from tests.properties.writing import OpenBook, write_tree
from tests.support.rounds import rounds

SLOW = settings(
    phases=set(Phase) - {Phase.explain},
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)

REVERSED = """
import os, runpy, sys
scandir, listdir = os.scandir, os.listdir
class Reversed:
    def __init__(self, path):
        with scandir(*path) as entries:
            self.entries = iter(sorted(entries, key=lambda entry: entry.name, reverse=True))
    __iter__ = __enter__ = lambda self: self
    __next__ = lambda self: next(self.entries)
    __exit__ = lambda self, *failure: None
    close = lambda self: None
os.listdir = lambda *path: sorted(listdir(*path), reverse=True)
os.scandir = lambda *path: Reversed(path)
runpy.run_module("envtree", run_name="__main__", alter_sys=True)
"""


def compile_tree(root: Path, out: Path, plain: Tree) -> dict[str, str]:
    """Compile with envtree and read its output: the bundles by id, none if it found an error."""
    request = tree_request(DirectoryTree(root.resolve()), decrypter=lambda policy: OpenBook(plain), require_inputs=True)
    output = Output(out, root, "plain", EDITION, {}, lambda id: True)
    outcome = publish(CompilePlan(request, Destinations(output), frozenset({"bundle"})))
    errors = [finding for finding in outcome.findings if finding.severity is Severity.ERROR]
    files = [file for file in out.rglob("*") if file.is_file()]
    if errors:
        for finding in errors:
            event(f"error: {finding.diagnostic.code}")
        assert files == []
        return {}
    return {bundle_id(out, file): file.read_text("utf-8") for file in files if file.name == "bundle.json"}


def bundle_id(out: Path, file: Path) -> str:
    """Return the id of a bundle from the path of its file."""
    environment, *names = file.relative_to(out).parent.parts
    return "/".join(names) + f"@{environment}"


def expected_of(drawn: Organization) -> dict[str, Bundle]:
    """Compile with the model; a forbidden tree has no bundles."""
    try:
        bundles = compile_model(drawn.tree, drawn.secrets)
    except Conflict as conflict:
        event(f"conflict: {conflict}")
        return {}
    assume(bundles)
    event("bundles")
    return bundles


@settings(SLOW, max_examples=rounds(gate=25, full=60))
@given(organizations())
def test_envtree_agrees_with_the_model(drawn: Organization) -> None:
    assert_equal(drawn)


@pytest.mark.full
@settings(SLOW, max_examples=2000)
@given(organizations())
def test_envtree_agrees_with_the_model_for_long(drawn: Organization) -> None:
    assert_equal(drawn)


def assert_equal(drawn: Organization) -> None:
    """Compile with both and compare."""
    expected = expected_of(drawn)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "tree")
        write_tree(root, drawn.tree, drawn.secrets, flow=drawn.flow)
        actual = compile_tree(root, Path(folder, "out"), drawn.secrets)
    assert actual == {name: canonical(bundle) for name, bundle in expected.items()}


@settings(SLOW, max_examples=rounds(gate=25, full=60))
@given(organizations())
def test_a_key_adds_only_what_could_not_be_checked_without(drawn: Organization) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "tree")
        write_tree(root, drawn.tree, drawn.secrets, flow=drawn.flow)
        request = tree_request(DirectoryTree(root.resolve()))
        without_key = check(request)
        with_key = check(request._replace(decrypter=lambda policy: OpenBook(drawn.secrets)))
    # Errors of bundles that are only found with plaintext hide no finding of a run without.
    assert set(without_key.findings) <= set(with_key.findings)
    skipped = {(skip.code, skip.span) for skip in without_key.not_checked}
    for finding in set(with_key.findings) - set(without_key.findings):
        assert (finding.diagnostic.code, finding.diagnostic.span) in skipped, finding


@dataclass(frozen=True)
class Machine:
    """Properties in which machines may differ, and which must not affect the output."""

    program: tuple[str, ...]
    cwd: str
    umask: int
    environ: dict[str, str]

    def compile(self, root: Path, out: Path) -> tuple[int, dict[str, bytes]]:
        """Run the command in a process of its own; secrets stay references, so that no key is needed."""
        command = [sys.executable, *self.program, "-C", str(root), "compile", "--secrets", "ref", "-o", str(out)]
        environ = {**os.environ, **self.environ}
        process = subprocess.run(command, cwd=self.cwd, umask=self.umask, env=environ, capture_output=True, check=False)
        files = {file.relative_to(out).as_posix(): file.read_bytes() for file in out.rglob("*") if file.is_file()}
        return process.returncode, files


MACHINES = [
    Machine(("-m", "envtree"), ".", 0o022, {"PYTHONHASHSEED": "1", "TZ": "UTC", "LC_ALL": "C.UTF-8"}),
    Machine(("-c", REVERSED), "/", 0o077, {"PYTHONHASHSEED": "2", "TZ": "Asia/Kathmandu", "LC_ALL": "C"}),
]


@settings(SLOW, max_examples=rounds(gate=5, full=15))
@given(organizations())
def test_no_accident_of_the_machine_shows(drawn: Organization) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "tree")
        write_tree(root, drawn.tree, drawn.secrets, flow=drawn.flow)
        first, second = (machine.compile(root, Path(folder, f"out{index}")) for index, machine in enumerate(MACHINES))
    assert first == second
    assert first[0] in (0, 1)
