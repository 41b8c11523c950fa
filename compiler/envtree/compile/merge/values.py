"""The strategies for scalars, and for values that differ in type: new, compatible or in conflict."""

from typing import Any

from deepmerge.strategy.core import STRATEGY_END

from envtree.compile.merge.equality import type_of
from envtree.compile.merge.layer_changes import LayerChange, MapChange, is_expression
from envtree.compile.merge.lists import add_list, apply_policies_inside
from envtree.compile.merge.maps import merge_maps, without_base
from envtree.compile.merge.merger import LayerMerger
from envtree.compile.merge.override import override
from envtree.model.keypath import KeyPath
from envtree.model.merged import MergedMapping, MergedScalar, MergedSequence, MergedValue, merged_span


def merge_scalars(merger: LayerMerger, path: KeyPath, base: MergedScalar, change: MergedScalar) -> MergedValue | None:
    """Replace a scalar by one of a compatible type."""
    if _is_compatible(merger, base, change):
        return override(merger, path, base, change, "replace")
    return report_clash(merger, path, base, change)


def merge_map_change(merger: LayerMerger, path: KeyPath, base: MergedValue | None, change: LayerChange) -> Any:
    """Merge a map that contains directives; over another value than a map, the directives are applied to nothing."""
    if type(change) is not MapChange:
        return STRATEGY_END
    if type(base) is MergedMapping:
        return merge_maps(merger, path, base, change)
    return merger.apply(path, base, without_base(merger, path, change))


def add_or_replace(merger: LayerMerger, path: KeyPath, base: MergedValue | None, change: MergedValue) -> Any:
    """Add a value, or replace the base by one of another but compatible type, such as null or an expression."""
    if base is not None and not _is_compatible(merger, base, change):
        return STRATEGY_END
    if type(change) is MergedSequence:
        return add_list(merger, path, base, change)
    if type(change) is MergedMapping:
        if not change.entries:
            merger.effects.mark_effective(merged_span(change))
        change = apply_policies_inside(merger, path, change)
        _mark_empty_effective(merger, change)
    return override(merger, path, base, change, "replace")


def report_clash(merger: LayerMerger, path: KeyPath, base: MergedValue, change: MergedValue) -> MergedValue:
    """Report that a layer changes the type of a value, and keep the base."""
    merger.report_type_clash(base, change, path)
    return base


def _mark_empty_effective(merger: LayerMerger, value: MergedMapping) -> None:
    """Mark the empty maps and lists inside a map that is new here: they have an effect, if only in this stack."""
    for child in value.entries.values():
        if type(child) is MergedMapping and child.entries:
            _mark_empty_effective(merger, child)
        elif type(child) is MergedMapping or (type(child) is MergedSequence and not child.items):
            merger.effects.mark_effective(merged_span(child))


def _is_compatible(merger: LayerMerger, base: MergedValue, value: MergedValue) -> bool:
    base_type, new_type = type_of(base), type_of(value)
    if base_type == new_type or "null" in (base_type, new_type) or is_expression(base) or is_expression(value):
        return True
    return merger.as_text and type(base) is MergedScalar and type(value) is MergedScalar
