"""A reference model of the merge driver: merge three plain documents as patches to the base.

It knows no ciphertexts, and works differently from the program: each side is a set of edits, and edits may collide.
"""

import random
import string
from collections.abc import Iterator
from typing import Any

Path = tuple[str, ...]
_GONE = object()


def merged(base: Any, ours: Any, theirs: Any) -> tuple[Any, set[Path]]:
    """Return the merged document, with our value for each conflict, and the paths in conflict."""
    base_values, our_values, their_values = (dict(flat(document)) for document in (base, ours, theirs))
    our_edits, their_edits = _edits(base_values, our_values), _edits(base_values, their_values)
    edited_by_both = our_edits.keys() & their_edits.keys()
    conflicts = {path for path in edited_by_both if not _equal(our_edits[path], their_edits[path])}
    values = base_values | their_edits | our_edits
    values = {path: value for path, value in values.items() if value is not _GONE}
    while clash := _clash(values):
        conflicts = {path for path in conflicts if path[: len(clash)] != clash} | {clash}
        values = {path: value for path, value in values.items() if path[: len(clash)] != clash}
        values |= {path: value for path, value in our_values.items() if path[: len(clash)] == clash}
    return nested(values), conflicts


def flat(document: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield the values of a document with their paths; a list is one value."""
    if not isinstance(document, dict):
        yield path, document
        return
    for key, value in document.items():
        yield from flat(value, (*path, key))


def nested(values: dict[Path, Any]) -> dict[str, Any]:
    """Return the document with these values; the inverse of `flat`."""
    root: dict[str, Any] = {}
    for path, value in values.items():
        parent = root
        for key in path[:-1]:
            parent = parent.setdefault(key, {})
        parent[path[-1]] = value
    return root


def _edits(before: dict[Path, Any], after: dict[Path, Any]) -> dict[Path, Any]:
    written = {path: value for path, value in after.items() if path not in before or not _equal(before[path], value)}
    return written | dict.fromkeys(before.keys() - after.keys(), _GONE)


def _equal(left: Any, right: Any) -> bool:
    return left is right or (repr(left) == repr(right) and _GONE not in (left, right))


def _clash(values: dict[Path, Any]) -> Path | None:
    """Return the shortest path that is a value and a map at once; None if there is none."""
    map_paths = {path[:length] for path in values for length in range(1, len(path))}
    return min(map_paths & values.keys(), key=lambda path: (len(path), path), default=None)


class Writer:
    """Generator of random documents, and of random edits of them."""

    def __init__(self, seed: int, form: str) -> None:
        self.random = random.Random(seed)
        self._nested = form != "env"
        # The dotenv reader of sops turns everything into text, its JSON reader all numbers into floats.
        numbers = {"yaml": [-3, 0, 7, 0.5, 123456789012345678], "json": [-3, 0, 7, 0.5], "env": []}[form]
        self._others = [*numbers, *([] if form == "env" else [True, False])]

    def document(self) -> dict[str, Any]:
        """Return a document with some of a few keys, so that both sides often edit the same one."""
        return {key: self._value(2) for key in self.random.sample("abcdefgh", self.random.randint(2, 5))}

    def edited(self, document: dict[str, Any]) -> dict[str, Any]:
        """Return the document with some values added, changed and removed."""
        edited = {key: dict(value) if isinstance(value, dict) else value for key, value in document.items()}
        for _ in range(self.random.randint(1, 4)):
            self._edit(edited, 2)
        return edited if edited else {"z": self._scalar()}

    def _edit(self, parent: dict[str, Any], depth: int) -> None:
        key = self.random.choice([*parent, self.random.choice("abcdefgh")])
        if isinstance(parent.get(key), dict) and self.random.random() < 0.7:
            parent[key] = dict(parent[key])
            self._edit(parent[key], depth - 1)
            if not parent[key]:
                del parent[key]
        elif key in parent and self.random.random() < 0.3:
            del parent[key]
        else:
            parent[key] = self._value(depth)

    def _value(self, depth: int) -> Any:
        roll = self.random.random()
        if self._nested and depth and roll < 0.35:
            return {key: self._value(depth - 1) for key in self.random.sample("xyz", self.random.randint(1, 3))}
        if self._nested and roll < 0.45:
            return [self._scalar() for _ in range(self.random.randint(1, 3))]
        return self._scalar()

    def _scalar(self) -> Any:
        # From few values, so that both sides often choose the same one.
        text = "".join(self.random.choice(string.ascii_letters) for _ in range(8))
        return self.random.choice(["one-value", "another-value", text, "lines\nof\ntext: 'x'", *self._others])
