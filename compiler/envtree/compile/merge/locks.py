"""Locks inside a map that is to be replaced as a whole."""

from collections.abc import Iterator

from envtree.compile.merge.same import same
from envtree.model.keypath import KeyPath
from envtree.model.merged import Branch, Merged
from envtree.model.span import Span


def broken_locks(below: Branch, value: Merged | None, path: KeyPath, *, text: bool) -> Iterator[tuple[KeyPath, Span]]:
    """The locked values of `below` that `value` would change or lose, with who locked them."""
    for key, child in below.entries.items():
        new = value.entries.get(key) if type(value) is Branch else None
        if child.lock:
            if not same(child, new, text=text):
                yield (*path, key), child.lock
        elif type(child) is Branch and child.locks:
            yield from broken_locks(child, new, (*path, key), text=text)


def keep_locks(below: Branch, value: Branch) -> Branch:
    """`value` with the locked, equal values of `below` in their places, so that they stay locked."""
    entries = dict(value.entries)
    for key, child in below.entries.items():
        new = entries.get(key)
        if child.lock:
            entries[key] = child
        elif type(child) is Branch and child.locks and type(new) is Branch:
            entries[key] = keep_locks(child, new)
    return value._replace(entries=entries, locks=True)
