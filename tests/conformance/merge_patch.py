"""JSON Merge Patch, RFC 7396: what its examples say, and what a library makes of random documents and patches."""

import random
from collections.abc import Iterator
from typing import Any

from tests.conformance.case import Case
from tests.conformance.layered import asked, ours

PATCHES = 400
# The document, the patch and the result of each example in the RFC's first appendix.
EXAMPLES: tuple[tuple[Any, Any, Any], ...] = (
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    (["a", "b"], ["c", "d"], ["c", "d"]),
    ({"a": "b"}, ["c"], ["c"]),
    ({"a": "foo"}, None, None),
    ({"a": "foo"}, "bar", "bar"),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
)


def merge_patch() -> Iterator[Case]:
    """Each document as a layer, with the patch as the layer over it: as it stands, and in the words of directives."""
    chance = random.Random(7396)
    drawn = [(_document(chance, 3), _patch(chance, 3)) for _ in range(PATCHES)]
    results = asked("json_patch", [[document, patch] for document, patch in drawn])
    every = [*EXAMPLES, *((document, patch, result) for (document, patch), result in zip(drawn, results, strict=True))]
    for number, (document, patch, result) in enumerate(every):
        expected = {"v": result}
        said = {"v": _directive(document, patch)}
        yield Case(f"patch {number} said with directives", ours([{"v": document}, said]), expected)
        if number < len(EXAMPLES):
            rule = "null" if patch is None or "None" in repr(patch) else ""
            yield Case(f"example {number + 1}", ours([{"v": document}, {"v": patch}]), expected, rule)


def _directive(document: Any, patch: Any) -> Any:
    """A patch in our words: null is a deletion below a map, and what replaces says so."""
    if not isinstance(patch, dict):
        return {"$replace": patch}
    if not isinstance(document, dict):
        return {"$replace": _without_nulls(patch)}
    return {
        key: {"$delete": True} if value is None else _directive(document.get(key, {}), value)
        for key, value in patch.items()
    }


def _without_nulls(patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    return {key: _without_nulls(value) for key, value in patch.items() if value is not None}


def _document(chance: random.Random, depth: int) -> dict[str, Any]:
    return {key: _inner(chance, depth, patch=False) for key in chance.sample("abcd", chance.randint(0, 3))}


def _patch(chance: random.Random, depth: int) -> dict[str, Any]:
    return {key: _inner(chance, depth, patch=True) for key in chance.sample("abcd", chance.randint(0, 3))}


def _inner(chance: random.Random, depth: int, *, patch: bool) -> Any:
    kind = chance.randrange(6)
    if kind > 3 and depth:
        return _patch(chance, depth - 1) if patch else _document(chance, depth - 1)
    return (None if patch else 0, 1, "text", ["x", chance.randrange(3)], True, "y")[kind]
