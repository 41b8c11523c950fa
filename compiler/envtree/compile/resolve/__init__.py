"""Resolve each merged stack to values without expressions, every secret marked as one."""

from collections.abc import Iterable, Iterator
from functools import cache

from envtree.compile.resolve.bundle_values import resolve_bundle
from envtree.compile.resolve.env_var_splitter import EnvVarSplitter
from envtree.compile.resolve.evaluation import EvaluationContext
from envtree.compile.resolve.expression_cache import ExpressionCache
from envtree.compile.resolve.expression_compiler import ExpressionCompiler
from envtree.compile.resolve.literal_cache import LiteralCache
from envtree.compile.resolve.secret_cache import SecretCache
from envtree.model.bundle_entities import EntityIndex
from envtree.model.diagnostic import Diagnostics
from envtree.model.merged import MergedStack
from envtree.model.resolved import ExternalValues, Resolved
from envtree.model.workspace import Workspace


def resolve(
    stacks: Iterable[MergedStack], workspace: Workspace, outside: ExternalValues, diags: Diagnostics
) -> Iterator[Resolved]:
    """Resolve the stacks one by one; expressions are compiled, and shared maps turned into data, once."""
    secrets, roster = SecretCache(outside.plaintexts), EntityIndex(workspace)
    context = EvaluationContext(
        _compiler(), LiteralCache(), EnvVarSplitter(), ExpressionCache(), secrets, roster, outside, diags
    )
    project = ""
    for merged in stacks:
        if merged.stack.target.project != project:
            project = merged.stack.target.project
            context.literal_cache.clear()
            context.env_var_splitter.clear()
            context.expression_cache.clear()
            context.secret_cache.clear()
            context.compiler.clear_if_large()
        yield resolve_bundle(merged, context)


@cache
def _compiler() -> ExpressionCompiler:
    """One for all projects, which have most of their expressions in common."""
    return ExpressionCompiler()


__all__ = ["resolve"]
