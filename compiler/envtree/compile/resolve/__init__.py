"""Resolve each merged stack to values without expressions, every secret marked as one."""

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

from envtree.compile.resolve.declassification import check_declassification
from envtree.compile.resolve.env_var_splitter import EnvVarSplitter
from envtree.compile.resolve.evaluation import Evaluation, EvaluationContext
from envtree.compile.resolve.expression_cache import ExpressionCache
from envtree.compile.resolve.expression_compiler import ExpressionCompiler
from envtree.compile.resolve.injection import inject
from envtree.compile.resolve.literal_cache import LiteralCache
from envtree.compile.resolve.secret_cache import SecretCache
from envtree.model.bundle_entities import EntityIndex
from envtree.model.diagnostic import Diagnostics
from envtree.model.keypath import format_path
from envtree.model.merged import MergedMapping, MergedStack
from envtree.model.resolved import SECTIONS, ExternalValues, HiddenValue, Resolved, hidden_parts
from envtree.model.workspace import Workspace


def resolve_bundle(merged: MergedStack, context: EvaluationContext) -> Resolved:
    """Compute every value of one bundle."""
    variables = context.env_var_splitter.split(merged.sections.get("env_vars"))
    evaluation = Evaluation(merged, variables.texts, context)
    injected = inject(merged, evaluation)
    evaluation.compute_env_vars(variables.computed, excluded=injected)
    values = evaluation.texts
    sections = {name: evaluation.value(merged.sections[name], (name,)) for name in SECTIONS if name in merged.sections}
    _check_env_vars(merged, evaluation)
    for name in sections:
        check_declassification(merged.sections[name], (name,), evaluation)
    return Resolved(merged, values, sections, injected, _sensitive_names(values, sections, merged))


def _check_env_vars(merged: MergedStack, evaluation: Evaluation) -> None:
    section = merged.sections.get("env_vars")
    # Where neither is true of all of them, none of them is guarded; what is locked may stand in a map that is new.
    if type(section) is not MergedMapping or not (section.shadows_expression or section.contains_lock):
        return
    secrets = merged.section_entries("secrets")
    for name, value in section.entries.items():
        if value.shadows_expression and name not in secrets:
            check_declassification(value, ("env_vars", name), evaluation)


def _sensitive_names(values: dict[str, Any], sections: dict[str, Any], merged: MergedStack) -> tuple[str, ...]:
    is_open = HiddenValue not in set(map(type, values.values()))
    found = [] if is_open else [name for name, value in values.items() if type(value) is HiddenValue and value.secret]
    for name, data in sections.items():
        if merged.sections[name].is_dynamic:
            found += [format_path(path) for path, part in hidden_parts(data, (name,)) if part.secret]
    return tuple(sorted(found))


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
