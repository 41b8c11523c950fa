"""Apply directives: the strategy for a change that says itself how it is merged."""

from typing import Any

from deepmerge.strategy.core import STRATEGY_END

from envtree.compile.merge.equality import type_of
from envtree.compile.merge.layer_changes import Directive, LayerChange
from envtree.compile.merge.lists import apply_list_directive
from envtree.compile.merge.maps import without_base
from envtree.compile.merge.merger import LayerMerger
from envtree.compile.merge.override import breaks_inner_lock, override
from envtree.diagnostics.suggest import nearest_name
from envtree.model.keypath import KeyPath
from envtree.model.merged import MergedMapping, MergedScalar, MergedSequence, MergedValue
from envtree.model.span import Span

_HINT_NOT_INHERITED = "correct the name, or remove the directive"
_HINT_NOT_INJECTED = "correct the name, or write secrets: {{{0}: {{$delete: true}}}} if '{0}' comes from a secret"


def apply_directive(merger: LayerMerger, path: KeyPath, base: MergedValue | None, change: LayerChange) -> Any:
    """Return the value after a directive; None if the key is gone."""
    if type(change) is not Directive:
        return STRATEGY_END
    if change.expect and (change.expect == "exists") != (base is not None):
        merger.report_unexpected(base, Span(change.layer.path, *change.node.entries["$expect"].mark), path)
    result = _run(merger, path, base, change)
    if change.lock is None or result is None or result.lock or merger.outer_lock:
        return result
    return (
        result._replace(lock=change.lock, contains_lock=True)
        if type(result) is MergedMapping
        else result._replace(lock=change.lock)
    )


def _run(merger: LayerMerger, path: KeyPath, base: MergedValue | None, directive: Directive) -> MergedValue | None:
    if directive.action == "$delete":
        return _run_delete(merger, path, base, directive)
    if directive.action == "$list":
        return _run_list_directive(merger, path, base, directive)
    if directive.value is None:
        return base
    if directive.action == "$value":
        if directive.lock and isinstance(directive.value, (MergedScalar, MergedSequence)):
            merger.effects.mark_intended(directive.value)
        return merger.apply(path, base, directive.value)
    assert not isinstance(directive.value, Directive), "directives are not nested"
    return override(merger, path, base, _as_replacement(without_base(merger, path, directive.value)), "$replace")


def _as_replacement(value: MergedValue) -> MergedValue:
    """Return the value with `$replace` as the rule of everything in it, since the directive applies to each key."""
    if type(value) is MergedMapping:
        entries = {key: _as_replacement(child) for key, child in value.entries.items()}
        return value._replace(entries=entries, rule="$replace")
    return value._replace(rule="$replace")


def _run_list_directive(
    merger: LayerMerger, path: KeyPath, base: MergedValue | None, directive: Directive
) -> MergedValue | None:
    if base is not None and type(base) is not MergedSequence and type_of(base) != "null":
        merger.report_not_a_list(base, Span(directive.layer.path, *directive.node.mark), path)
        return base
    edited = apply_list_directive(merger, path, base if type(base) is MergedSequence else None, directive)
    return base if edited is None else override(merger, path, base, edited, "$list")


def _run_delete(
    merger: LayerMerger, path: KeyPath, base: MergedValue | None, directive: Directive
) -> MergedValue | None:
    span = Span(directive.layer.path, *directive.node.mark)
    if base is None:
        message = f"'{merger.format(path)}' is not inherited, so there is nothing to delete"
        merger.mark_noop("ET451", span, path, message, _delete_hint(merger, path))
        return None
    merger.effects.mark_effective(span)
    if lock := merger.outer_lock or base.lock:
        merger.report_locked(lock, span, path)
        return base
    return base if breaks_inner_lock(merger, path, base, None, span) else None


def _delete_hint(merger: LayerMerger, path: KeyPath) -> str:
    suggestion = nearest_name(path[-1], merger.siblings)
    if suggestion:
        return f"did you mean '{suggestion}'?"
    return _HINT_NOT_INJECTED.format(path[-1]) if merger.as_text and path[:-1] == ("env_vars",) else _HINT_NOT_INHERITED
