"""Resolve each merged stack to values without expressions, every secret marked as one."""

from collections.abc import Iterable, Iterator
from functools import cache

from envtree.compile.resolve.bundle_values import resolve_bundle
from envtree.compile.resolve.evaluation import Engine
from envtree.compile.resolve.expression import Compiler
from envtree.compile.resolve.literals import Literals
from envtree.compile.resolve.results import Results
from envtree.compile.resolve.secrets import Secrets
from envtree.compile.resolve.variables import Variables
from envtree.model.diagnostic import Diagnostics
from envtree.model.entities import Roster
from envtree.model.merged import MergedStack
from envtree.model.resolved import Outside, Resolved
from envtree.model.workspace import Workspace


def resolve(
    stacks: Iterable[MergedStack], workspace: Workspace, outside: Outside, diags: Diagnostics
) -> Iterator[Resolved]:
    """Resolve the stacks one by one; expressions are compiled, and shared maps turned into data, once."""
    secrets, roster = Secrets(outside.plaintexts), Roster(workspace)
    engine = Engine(_compiler(), Literals(), Variables(), Results(), secrets, roster, outside, diags)
    project = ""
    for merged in stacks:
        if merged.stack.target.project != project:
            project = merged.stack.target.project
            engine.literals.clear()
            engine.variables.clear()
            engine.results.clear()
            engine.secrets.clear()
            engine.compiler.tidy()
        yield resolve_bundle(merged, engine)


@cache
def _compiler() -> Compiler:
    """One for all projects, which have most of their expressions in common."""
    return Compiler()


__all__ = ["resolve"]
