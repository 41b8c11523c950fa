"""JSON Merge Patch (RFC 7396): the examples of the RFC, and random documents and patches against a library."""

import random
from collections.abc import Iterator
from typing import Any

from tests.conformance.case import Case
from tests.conformance.layered import merge_with_envtree, merge_with_peer

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
    """Yield each document as a layer under its patch: the patch unchanged, and expressed with directives."""
    rng = random.Random(7396)
    pairs = [(_document(rng, 3), _patch(rng, 3)) for _ in range(PATCHES)]
    results = merge_with_peer("json_patch", [[document, patch] for document, patch in pairs])
    drawn = ((document, patch, result) for (document, patch), result in zip(pairs, results, strict=True))
    for number, (document, patch, result) in enumerate([*EXAMPLES, *drawn]):
        expected = {"v": result}
        directives = {"v": _directive(document, patch)}
        yield Case(f"patch {number} said with directives", merge_with_envtree([{"v": document}, directives]), expected)
        if number < len(EXAMPLES):
            rule = "null" if patch is None or "None" in repr(patch) else ""
            yield Case(f"example {number + 1}", merge_with_envtree([{"v": document}, {"v": patch}]), expected, rule)


def _directive(document: Any, patch: Any) -> Any:
    """Return a patch as directives: null in a map becomes `$delete`, and any value that replaces becomes `$replace`."""
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


def _document(rng: random.Random, depth: int) -> dict[str, Any]:
    return {key: _inner(rng, depth, patch=False) for key in rng.sample("abcd", rng.randint(0, 3))}


def _patch(rng: random.Random, depth: int) -> dict[str, Any]:
    return {key: _inner(rng, depth, patch=True) for key in rng.sample("abcd", rng.randint(0, 3))}


def _inner(rng: random.Random, depth: int, *, patch: bool) -> Any:
    kind = rng.randrange(6)
    if kind > 3 and depth:
        return _patch(rng, depth - 1) if patch else _document(rng, depth - 1)
    return (None if patch else 0, 1, "text", ["x", rng.randrange(3)], True, "y")[kind]
