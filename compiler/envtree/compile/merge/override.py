"""Override a value by one of a higher layer, unless a lock on, around or inside it forbids that."""

from collections.abc import Iterator

from envtree.compile.merge.equality import is_equal
from envtree.compile.merge.merger import LayerMerger
from envtree.model.keypath import KeyPath
from envtree.model.merged import MergedMapping, MergedValue, MergeRule, merged_span
from envtree.model.span import Span


def override(
    merger: LayerMerger, path: KeyPath, base: MergedValue | None, value: MergedValue, rule: MergeRule
) -> MergedValue | None:
    """Return `value` as the override of `base`, or `base` if a lock forbids that."""
    outer_lock = merger.outer_lock
    if base is None:
        if outer_lock:
            merger.report_locked(outer_lock, merged_span(value), path)
        return None if outer_lock else value
    if lock := outer_lock or base.lock:
        if not is_equal(base, value, as_text=merger.as_text):
            merger.report_locked(lock, merged_span(value), path)
            return base
        value = value._replace(lock=base.lock)
    elif rule == "replace" and type(value) is not MergedMapping and is_equal(base, value, as_text=merger.as_text):
        merger.mark_redundant(base, value, path)
    if breaks_inner_lock(merger, path, base, value, merged_span(value)):
        return base
    if type(base) is MergedMapping and base.contains_lock:
        assert type(value) is MergedMapping
        value = _preserve_locks(base, value)
    shadows_expression = (base.shadows_expression or base.is_dynamic) and rule != "$replace"
    return value._replace(base=base, rule=rule, shadows_expression=shadows_expression)


def breaks_inner_lock(
    merger: LayerMerger, path: KeyPath, base: MergedValue, value: MergedValue | None, span: Span
) -> bool:
    """Report whether a value, or a removal (None), breaks a lock in the map below; add a finding at `span` if so."""
    if type(base) is not MergedMapping or not base.contains_lock:
        return False
    broken = tuple(_find_broken_locks(base, value, path, as_text=merger.as_text))
    if broken:
        (locked_path, lock), *others = broken
        merger.report_locked(lock, span, locked_path, *others)
    return bool(broken)


def _find_broken_locks(
    base: MergedMapping, value: MergedValue | None, path: KeyPath, *, as_text: bool
) -> Iterator[tuple[KeyPath, Span]]:
    """Yield the locked values of `base` that `value` would change or remove, with the places of their locks."""
    for key, child in base.entries.items():
        new = value.entries.get(key) if type(value) is MergedMapping else None
        if child.lock:
            if not is_equal(child, new, as_text=as_text):
                yield (*path, key), child.lock
        elif type(child) is MergedMapping and child.contains_lock:
            yield from _find_broken_locks(child, new, (*path, key), as_text=as_text)


def _preserve_locks(base: MergedMapping, value: MergedMapping) -> MergedMapping:
    """Return `value` with the equal locked values of `base` in their places, so that they stay locked."""
    entries = dict(value.entries)
    for key, child in base.entries.items():
        new = entries.get(key)
        if child.lock:
            entries[key] = child
        elif type(child) is MergedMapping and child.contains_lock and type(new) is MergedMapping:
            entries[key] = _preserve_locks(child, new)
    return value._replace(entries=entries, contains_lock=True)
