"""Resolve each merged stack to values without expressions, with every secret marked as secret."""

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
    """Resolve all values of one bundle."""
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
    # If neither flag is set, no variable shadows an expression. Locks count, too: `$replace` keeps locked variables,
    # but makes a new map without the first flag.
    if type(section) is not MergedMapping or not (section.shadows_expression or section.contains_lock):
        return
    secrets = merged.section_entries("secrets")
    for name, value in section.entries.items():
        if value.shadows_expression and name not in secrets:
            check_declassification(value, ("env_vars", name), evaluation)


def _sensitive_names(values: dict[str, Any], sections: dict[str, Any], merged: MergedStack) -> tuple[str, ...]:
    has_hidden = HiddenValue in set(map(type, values.values()))
    names = (
        [name for name, value in values.items() if type(value) is HiddenValue and value.secret] if has_hidden else []
    )
    for name, data in sections.items():
        if merged.sections[name].is_dynamic:
            names += [format_path(path) for path, part in hidden_parts(data, (name,)) if part.secret]
    return tuple(sorted(names))


def resolve(
    stacks: Iterable[MergedStack], workspace: Workspace, external: ExternalValues, diags: Diagnostics
) -> Iterator[Resolved]:
    """Resolve the stacks one by one; each expression is compiled once, and each shared map is turned into data once."""
    context = EvaluationContext(
        compiler=_compiler(),
        literal_cache=LiteralCache(),
        env_var_splitter=EnvVarSplitter(),
        expression_cache=ExpressionCache(),
        secret_cache=SecretCache(external.plaintexts),
        entity_index=EntityIndex(workspace),
        external=external,
        diags=diags,
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
    """Return the compiler of all projects, which have most of their expressions in common."""
    return ExpressionCompiler()


__all__ = ["resolve"]
