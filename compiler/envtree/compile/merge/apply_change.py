"""The merge algebra: apply the changes of a layer to the value below. Arguments are never modified."""

from collections.abc import Iterator
from typing import TypeGuard

from envtree.compile.merge.context import MergeContext
from envtree.compile.merge.equality import is_equal, type_of
from envtree.compile.merge.layer_changes import Directive, LayerChange, MapChange, is_expression
from envtree.compile.merge.lists import apply_list_directive, check_list_keys, combine_lists
from envtree.diagnostics.suggest import nearest_name
from envtree.model.keypath import KeyPath, format_path
from envtree.model.merged import MergedMapping, MergedScalar, MergedSequence, MergedValue, MergeRule, merged_span
from envtree.model.nodes import MappingNode, SequenceNode
from envtree.model.span import Span


def find_broken_locks(
    below: MergedMapping, value: MergedValue | None, path: KeyPath, *, as_text: bool
) -> Iterator[tuple[KeyPath, Span]]:
    """Yield the locked values of `below` that `value` would change or remove, with the places of their locks."""
    for key, child in below.entries.items():
        new = value.entries.get(key) if type(value) is MergedMapping else None
        if child.lock:
            if not is_equal(child, new, as_text=as_text):
                yield (*path, key), child.lock
        elif type(child) is MergedMapping and child.contains_lock:
            yield from find_broken_locks(child, new, (*path, key), as_text=as_text)


def preserve_locks(below: MergedMapping, value: MergedMapping) -> MergedMapping:
    """Return `value` with the equal locked values of `below` in their places, so that they stay locked."""
    entries = dict(value.entries)
    for key, child in below.entries.items():
        new = entries.get(key)
        if child.lock:
            entries[key] = child
        elif type(child) is MergedMapping and child.contains_lock and type(new) is MergedMapping:
            entries[key] = preserve_locks(child, new)
    return value._replace(entries=entries, contains_lock=True)


# As in `layer_changes`: a named tuple's own constructor takes twice as long.
_new = tuple.__new__

_SIMPLE_TYPES = frozenset({str, int, bool})
_HINT_NOT_INHERITED = "correct the name, or remove the directive"
_HINT_NOT_INJECTED = "correct the name, or write secrets: {{{0}: {{$delete: true}}}} if '{0}' comes from a secret"


def apply_change(
    below: MergedValue | None, change: LayerChange, path: KeyPath, outer_lock: Span | None, context: MergeContext
) -> MergedValue | None:
    """Return the value after a change, None if the key is gone; `outer_lock` is the lock of a map around it."""
    if type(change) is Directive:
        return _apply_directive(below, change, path, outer_lock, context)
    if type(below) is MergedMapping and isinstance(change, (MergedMapping, MapChange)):
        return merge_map(below, change, path, outer_lock or below.lock, context)
    return _merge_value(below, apply_to_nothing(change, path, context), path, outer_lock, context)


def merge_map(
    below: MergedMapping,
    change: MergedMapping | MapChange,
    path: KeyPath,
    outer_lock: Span | None,
    context: MergeContext,
) -> MergedMapping:
    """Merge key by key; a key whose merged value is None is removed."""
    if not change.entries:
        _report_empty(change, path, context)
        return below
    entries = dict(below.entries)
    dynamic, shadows, has_lock = below.is_dynamic, below.shadows_expression, below.contains_lock
    # The common cases are written out here: they take most of the time of a compile.
    unlocked = outer_lock is None
    new_maps = unlocked and not context.policies.any_by_key
    for key, child in change.entries.items():
        base = entries.get(key)
        if new_maps and base is None and type(child) is MergedMapping and child.entries:
            entries[key] = child
            dynamic = dynamic or child.is_dynamic
            continue
        if unlocked and type(child) is MergedScalar and (base is None or _can_replace(base, child, context)):
            scalar = child if base is None else _replace_scalar(base, child, path, key, context)
            entries[key] = scalar
            shadows = shadows or scalar.shadows_expression
            dynamic = dynamic or child.is_dynamic
            continue
        # A directive for a missing key may be meant for one of its siblings, which a hint then suggests.
        scope = context._replace(siblings=tuple(entries)) if base is None and type(child) is Directive else context
        merged = apply_change(base, child, (*path, key), outer_lock, scope)
        if merged is None:
            entries.pop(key, None)
            continue
        entries[key] = merged
        dynamic = dynamic or merged.is_dynamic
        shadows = shadows or merged.shadows_expression
        has_lock = has_lock or merged.lock is not None or (type(merged) is MergedMapping and merged.contains_lock)
    values = (entries, change.node, change.layer, below, "merge", below.lock, dynamic, shadows, has_lock)
    return _new(MergedMapping, values)


def apply_to_nothing(
    change: MergedMapping | MergedScalar | MergedSequence | MapChange | Directive, path: KeyPath, context: MergeContext
) -> MergedValue:
    """Return the value of a change with no value below: its directives are applied to nothing."""
    if type(change) is MapChange:
        nothing = MergedMapping({}, change.node, change.layer, None, "set", None, False, False, False)
        return merge_map(nothing, change, path, None, context)._replace(base=None, rule="set")
    assert isinstance(change, (MergedScalar, MergedSequence, MergedMapping))
    return change


def _report_empty(change: MergedMapping | MapChange, path: KeyPath, context: MergeContext) -> None:
    span = Span(change.layer.path, *change.node.mark)
    if isinstance(change.node, MappingNode) and change.node.entries:
        context.mark_noop("ET450", span, path, "a directive with an empty list changes nothing", "remove it")
        return
    empty = "[]" if isinstance(change.node, SequenceNode) else "{}"
    hint = "write {$replace: {}} to empty the map"
    context.mark_noop("ET450", span, path, f"'{empty}' over a map changes nothing", hint)


def _replace_scalar(
    base: MergedScalar, child: MergedScalar, path: KeyPath, key: str, context: MergeContext
) -> MergedScalar:
    if base.node.text == child.node.text:
        context.mark_redundant(base, child, (*path, key))
    shadows = base.is_dynamic or base.shadows_expression
    return _new(MergedScalar, (child.node, child.layer, base, "replace", None, child.is_dynamic, shadows))


def _can_replace(below: MergedValue, leaf: MergedScalar, context: MergeContext) -> TypeGuard[MergedScalar]:
    """Report whether a scalar can replace the value below without further checks of types and locks."""
    return (
        type(below) is MergedScalar
        and below.lock is None
        and type(value := leaf.node.value) in _SIMPLE_TYPES
        and (context.as_text or type(below.node.value) is type(value))
    )


def _merge_value(
    below: MergedValue | None, value: MergedValue, path: KeyPath, outer_lock: Span | None, context: MergeContext
) -> MergedValue | None:
    """Replace the value below by another one of a compatible type; lists are combined by the policy of their path."""
    if below is not None and not _is_compatible(below, value, context):
        context.report_type_clash(below, value, path)
        return below
    if (type(value) is MergedMapping and not value.entries) or (
        type(value) is MergedSequence and type(below) is not MergedSequence
    ):
        context.effects.mark_effective(merged_span(value))
    if type(value) is MergedMapping:
        check_list_keys(value, path, context)
        _mark_empty_effective(value, context)
    if type(value) is not MergedSequence or context.policies.at(path) == "replace":
        return _override(below, value, path, outer_lock, context, "replace")
    inherited = below if type(below) is MergedSequence else None
    if inherited and not value.items:
        context.mark_noop(
            "ET450", merged_span(value), path, "'[]' adds nothing to the inherited list", "remove the line"
        )
        return below

    def merge_element(old: MergedMapping, new: MergedMapping, element_path: KeyPath) -> MergedValue:
        return merge_map(old, new, element_path, None, context)

    combined = combine_lists(inherited, value, path, context, merge_element)
    return _override(below, combined, path, outer_lock, context, combined.rule if inherited else "replace")


def _mark_empty_effective(value: MergedMapping, context: MergeContext) -> None:
    """Mark the empty maps and lists inside a map that is new here: they have an effect, if only in this stack."""
    for child in value.entries.values():
        if type(child) is MergedMapping and child.entries:
            _mark_empty_effective(child, context)
        elif type(child) is MergedMapping or (type(child) is MergedSequence and not child.items):
            context.effects.mark_effective(merged_span(child))


def _override(
    below: MergedValue | None,
    value: MergedValue,
    path: KeyPath,
    outer_lock: Span | None,
    context: MergeContext,
    rule: MergeRule,
) -> MergedValue | None:
    """Return `value` as the override of `below`, or `below` if a lock on, around or inside it forbids that."""
    if below is None:
        if outer_lock:
            context.report_locked(outer_lock, merged_span(value), path)
        return None if outer_lock else value
    if lock := outer_lock or below.lock:
        if not is_equal(below, value, as_text=context.as_text):
            context.report_locked(lock, merged_span(value), path)
            return below
        value = value._replace(lock=below.lock)
    elif rule == "replace" and type(value) is not MergedMapping and is_equal(below, value, as_text=context.as_text):
        context.mark_redundant(below, value, path)
    if _has_broken_locks(below, value, merged_span(value), path, context):
        return below
    if type(below) is MergedMapping and below.contains_lock:
        assert type(value) is MergedMapping
        value = preserve_locks(below, value)
    shadows_expression = (below.shadows_expression or below.is_dynamic) and rule != "$replace"
    return value._replace(base=below, rule=rule, shadows_expression=shadows_expression)


def _has_broken_locks(
    below: MergedValue, value: MergedValue | None, span: Span, path: KeyPath, context: MergeContext
) -> bool:
    """Report whether a value, or a removal (None), breaks a lock in the map below; add a finding at `span` if so."""
    if type(below) is not MergedMapping or not below.contains_lock:
        return False
    broken = tuple(find_broken_locks(below, value, path, as_text=context.as_text))
    if broken:
        (locked_path, lock), *others = broken
        context.report_locked(lock, span, locked_path, *others)
    return bool(broken)


def _is_compatible(below: MergedValue, value: MergedValue, context: MergeContext) -> bool:
    type_below, new_type = type_of(below), type_of(value)
    if type_below == new_type or "null" in (type_below, new_type) or is_expression(below) or is_expression(value):
        return True
    return context.as_text and type(below) is MergedScalar and type(value) is MergedScalar


def _apply_directive(
    below: MergedValue | None, directive: Directive, path: KeyPath, outer_lock: Span | None, context: MergeContext
) -> MergedValue | None:
    if directive.expect and (directive.expect == "exists") != (below is not None):
        context.report_unexpected(below, Span(directive.layer.path, *directive.node.entries["$expect"].mark), path)
    result = _run_directive(below, directive, path, outer_lock, context)
    if directive.lock is None or result is None or result.lock or outer_lock:
        return result
    return (
        result._replace(lock=directive.lock, contains_lock=True)
        if type(result) is MergedMapping
        else result._replace(lock=directive.lock)
    )


def _run_directive(
    below: MergedValue | None, directive: Directive, path: KeyPath, outer_lock: Span | None, context: MergeContext
) -> MergedValue | None:
    if directive.action == "$delete":
        return _run_delete(below, directive, path, outer_lock, context)
    if directive.action == "$list":
        return _run_list_directive(below, directive, path, outer_lock, context)
    if directive.value is None:
        return below
    if directive.action == "$value":
        if directive.lock and isinstance(directive.value, (MergedScalar, MergedSequence)):
            context.effects.mark_intended(directive.value)
        return apply_change(below, directive.value, path, outer_lock, context)
    return _override(
        below, _as_replacement(apply_to_nothing(directive.value, path, context)), path, outer_lock, context, "$replace"
    )


def _as_replacement(value: MergedValue) -> MergedValue:
    """Return the value with `$replace` as the rule of everything in it, since the directive applies to each key."""
    if type(value) is MergedMapping:
        entries = {key: _as_replacement(child) for key, child in value.entries.items()}
        return value._replace(entries=entries, rule="$replace")
    return value._replace(rule="$replace")


def _run_list_directive(
    below: MergedValue | None, directive: Directive, path: KeyPath, outer_lock: Span | None, context: MergeContext
) -> MergedValue | None:
    if below is not None and type(below) is not MergedSequence and type_of(below) != "null":
        context.report_not_a_list(below, Span(directive.layer.path, *directive.node.mark), path)
        return below
    edited = apply_list_directive(below if type(below) is MergedSequence else None, directive, path, context)
    return below if edited is None else _override(below, edited, path, outer_lock, context, "$list")


def _delete_hint(path: KeyPath, context: MergeContext) -> str:
    suggestion = nearest_name(path[-1], context.siblings)
    if suggestion:
        return f"did you mean '{suggestion}'?"
    return (
        _HINT_NOT_INJECTED.format(path[-1]) if context.as_text and path[:-1] == ("env_vars",) else _HINT_NOT_INHERITED
    )


def _run_delete(
    below: MergedValue | None, directive: Directive, path: KeyPath, outer_lock: Span | None, context: MergeContext
) -> MergedValue | None:
    span = Span(directive.layer.path, *directive.node.mark)
    if below is None:
        message = f"'{format_path(path)}' is not inherited, so there is nothing to delete"
        context.mark_noop("ET451", span, path, message, _delete_hint(path, context))
        return None
    context.effects.mark_effective(span)
    if lock := outer_lock or below.lock:
        context.report_locked(lock, span, path)
        return below
    return below if _has_broken_locks(below, None, span, path, context) else None
