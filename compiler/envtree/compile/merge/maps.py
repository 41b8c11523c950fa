"""Merge maps key by key: the strategy for two maps, which calls the merger for each of their keys."""

from typing import TypeGuard

from envtree.compile.merge.layer_changes import Directive, MapChange
from envtree.compile.merge.merger import LayerMerger
from envtree.compile.merge.override import override
from envtree.model.keypath import KeyPath
from envtree.model.merged import MergedMapping, MergedScalar, MergedValue
from envtree.model.nodes import MappingNode, SequenceNode
from envtree.model.span import Span

# As in `layer_changes`: a named tuple's own constructor takes twice as long.
_new = tuple.__new__

_SIMPLE_TYPES = frozenset({str, int, bool})


def merge_maps(
    merger: LayerMerger, path: KeyPath, base: MergedMapping, change: MergedMapping | MapChange
) -> MergedMapping:
    """Merge key by key, or replace the map by the policy of its path; a key whose merged value is None is removed."""
    if merger.policies.any_replaces_maps and base.entries and merger.policies.at(path).replaces_maps:
        return _replace_map(merger, path, base, change)
    if not change.entries:
        _report_empty(merger, path, change)
        return base
    merger = merger.inside_lock(base.lock)
    entries = dict(base.entries)
    dynamic, shadows, has_lock = base.is_dynamic, base.shadows_expression, base.contains_lock
    # The common cases are written out here: they take most of the time of a compile.
    unlocked = merger.outer_lock is None
    new_maps = unlocked and not merger.policies.any_shapes_new_lists
    for key, child in change.entries.items():
        old = entries.get(key)
        if new_maps and old is None and type(child) is MergedMapping and child.entries:
            entries[key] = child
            dynamic = dynamic or child.is_dynamic
            continue
        if unlocked and type(child) is MergedScalar and (old is None or _can_replace(old, child, merger)):
            scalar = child if old is None else _replace_scalar(merger, path, key, old, child)
            entries[key] = scalar
            shadows = shadows or scalar.shadows_expression
            dynamic = dynamic or child.is_dynamic
            continue
        # A directive for a missing key may be meant for one of its siblings, which a hint then suggests.
        scoped = merger.beside(tuple(entries)) if old is None and type(child) is Directive else merger
        merged = scoped.apply((*path, key), old, child)
        if merged is None:
            entries.pop(key, None)
            continue
        entries[key] = merged
        dynamic = dynamic or merged.is_dynamic
        shadows = shadows or merged.shadows_expression
        has_lock = has_lock or merged.lock is not None or (type(merged) is MergedMapping and merged.contains_lock)
    values = (entries, change.node, change.layer, base, "merge", base.lock, dynamic, shadows, has_lock)
    return _new(MergedMapping, values)


def without_base(merger: LayerMerger, path: KeyPath, change: MergedValue | MapChange) -> MergedValue:
    """Return the value of a change where nothing is inherited: its directives are applied to nothing."""
    if type(change) is not MapChange:
        assert not isinstance(change, MapChange)
        return change
    nothing = MergedMapping({}, change.node, change.layer, None, "set", None, False, False, False)
    return merge_maps(merger.outside_locks(), path, nothing, change)._replace(base=None, rule="set")


def _replace_map(
    merger: LayerMerger, path: KeyPath, base: MergedMapping, change: MergedMapping | MapChange
) -> MergedMapping:
    """Replace the inherited map; a key of both is still an override, so that a secret is not replaced unnoticed."""
    replacement = _link_to_base(base, without_base(merger, path, change))
    merged = override(merger, path, base, replacement, "replace")
    assert type(merged) is MergedMapping
    return merged


def _link_to_base(base: MergedValue | None, value: MergedValue) -> MergedValue:
    """Return a value with the inherited ones as the bases of the values inside, at the same paths."""
    if base is None:
        return value
    if type(base) is MergedMapping and type(value) is MergedMapping:
        entries = {key: _link_to_base(base.entries.get(key), child) for key, child in value.entries.items()}
        value = value._replace(entries=entries)
    shadows = base.is_dynamic or base.shadows_expression
    return value._replace(base=base, rule="replace", shadows_expression=shadows)


def _report_empty(merger: LayerMerger, path: KeyPath, change: MergedMapping | MapChange) -> None:
    span = Span(change.layer.path, *change.node.mark)
    if isinstance(change.node, MappingNode) and change.node.entries:
        merger.mark_noop("ET450", span, path, "a directive with an empty list changes nothing", "remove it")
        return
    empty = "[]" if isinstance(change.node, SequenceNode) else "{}"
    hint = merger.replacement_hint("{}", "to empty the map")
    merger.mark_noop("ET450", span, path, f"'{empty}' over a map changes nothing", hint)


def _replace_scalar(
    merger: LayerMerger, path: KeyPath, key: str, base: MergedScalar, child: MergedScalar
) -> MergedScalar:
    if base.node.text == child.node.text:
        merger.mark_redundant(base, child, (*path, key))
    shadows = base.is_dynamic or base.shadows_expression
    return _new(MergedScalar, (child.node, child.layer, base, "replace", None, child.is_dynamic, shadows))


def _can_replace(base: MergedValue, leaf: MergedScalar, merger: LayerMerger) -> TypeGuard[MergedScalar]:
    """Report whether a scalar can replace the base without further checks of types and locks."""
    return (
        type(base) is MergedScalar
        and base.lock is None
        and type(value := leaf.node.value) in _SIMPLE_TYPES
        and (merger.as_text or type(base.node.value) is type(value))
    )
