"""What merging three plain documents gives, worked out as patches to the base: a judge of the merge driver.

It knows nothing of ciphertexts, and goes another way than the program: each side is a set of edits, and edits collide.
"""

import random
import string
from collections.abc import Iterator
from typing import Any

Path = tuple[str, ...]
_GONE = object()


def merged(base: Any, ours: Any, theirs: Any) -> tuple[Any, set[Path]]:
    """The merged document, with ours where there is a conflict, and the paths in conflict."""
    before, here, there = (dict(flat(each)) for each in (base, ours, theirs))
    mine, yours = _edits(before, here), _edits(before, there)
    conflicts = {path for path in mine.keys() & yours.keys() if not _equal(mine[path], yours[path])}
    values = before | yours | mine
    values = {path: value for path, value in values.items() if value is not _GONE}
    while clash := _clash(values):
        conflicts = {path for path in conflicts if path[: len(clash)] != clash} | {clash}
        values = {path: value for path, value in values.items() if path[: len(clash)] != clash}
        values |= {path: value for path, value in here.items() if path[: len(clash)] == clash}
    return nested(values), conflicts


def flat(document: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """The values of a document by their paths; a list is one value."""
    if not isinstance(document, dict):
        yield path, document
        return
    for key, value in document.items():
        yield from flat(value, (*path, key))


def nested(values: dict[Path, Any]) -> dict[str, Any]:
    root: dict[str, Any] = {}
    for path, value in values.items():
        at = root
        for key in path[:-1]:
            at = at.setdefault(key, {})
        at[path[-1]] = value
    return root


def _edits(before: dict[Path, Any], after: dict[Path, Any]) -> dict[Path, Any]:
    written = {path: value for path, value in after.items() if path not in before or not _equal(before[path], value)}
    return written | dict.fromkeys(before.keys() - after.keys(), _GONE)


def _equal(one: Any, other: Any) -> bool:
    return one is other or (repr(one) == repr(other) and _GONE not in (one, other))


def _clash(values: dict[Path, Any]) -> Path | None:
    """The shortest path that is a value and a map at once."""
    inside = {path[:length] for path in values for length in range(1, len(path))}
    return min(inside & values.keys(), key=lambda path: (len(path), path), default=None)


class Writer:
    """Random documents, and random edits of them."""

    def __init__(self, seed: int, form: str) -> None:
        self.random = random.Random(seed)
        self._nested = form != "env"
        # sops's own reader of dotenv makes text of everything, that of JSON floats of all numbers.
        numbers = {"yaml": [-3, 0, 7, 0.5, 123456789012345678], "json": [-3, 0, 7, 0.5], "env": []}[form]
        self._others = [*numbers, *([] if form == "env" else [True, False])]

    def document(self) -> dict[str, Any]:
        """A document with some keys, so few of them that both sides often meet at one."""
        return {key: self._value(2) for key in self.random.sample("abcdefgh", self.random.randint(2, 5))}

    def edited(self, document: dict[str, Any]) -> dict[str, Any]:
        """The same with some values added, changed and removed."""
        after = {key: dict(value) if isinstance(value, dict) else value for key, value in document.items()}
        for _ in range(self.random.randint(1, 4)):
            self._edit(after, 2)
        return after if after else {"z": self._scalar()}

    def _edit(self, at: dict[str, Any], depth: int) -> None:
        key = self.random.choice([*at, self.random.choice("abcdefgh")])
        if isinstance(at.get(key), dict) and self.random.random() < 0.7:
            at[key] = dict(at[key])
            self._edit(at[key], depth - 1)
            if not at[key]:
                del at[key]
        elif key in at and self.random.random() < 0.3:
            del at[key]
        else:
            at[key] = self._value(depth)

    def _value(self, depth: int) -> Any:
        roll = self.random.random()
        if self._nested and depth and roll < 0.35:
            return {key: self._value(depth - 1) for key in self.random.sample("xyz", self.random.randint(1, 3))}
        if self._nested and roll < 0.45:
            return [self._scalar() for _ in range(self.random.randint(1, 3))]
        return self._scalar()

    def _scalar(self) -> Any:
        # Few of them, so that both sides often come to the same.
        text = "".join(self.random.choice(string.ascii_letters) for _ in range(8))
        return self.random.choice(["one-value", "another-value", text, "lines\nof\ntext: 'x'", *self._others])
