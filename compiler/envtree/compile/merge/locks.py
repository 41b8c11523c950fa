"""Locks inside a map that is to be replaced as a whole."""

from collections.abc import Iterator

from envtree.compile.merge.equality import is_equal
from envtree.model.keypath import KeyPath
from envtree.model.merged import MergedMapping, MergedValue
from envtree.model.span import Span


def find_broken_locks(
    below: MergedMapping, value: MergedValue | None, path: KeyPath, *, as_text: bool
) -> Iterator[tuple[KeyPath, Span]]:
    """The locked values of `below` that `value` would change or lose, with who locked them."""
    for key, child in below.entries.items():
        new = value.entries.get(key) if type(value) is MergedMapping else None
        if child.lock:
            if not is_equal(child, new, as_text=as_text):
                yield (*path, key), child.lock
        elif type(child) is MergedMapping and child.contains_lock:
            yield from find_broken_locks(child, new, (*path, key), as_text=as_text)


def preserve_locks(below: MergedMapping, value: MergedMapping) -> MergedMapping:
    """`value` with the locked, equal values of `below` in their places, so that they stay locked."""
    entries = dict(value.entries)
    for key, child in below.entries.items():
        new = entries.get(key)
        if child.lock:
            entries[key] = child
        elif type(child) is MergedMapping and child.contains_lock and type(new) is MergedMapping:
            entries[key] = preserve_locks(child, new)
    return value._replace(entries=entries, contains_lock=True)
