"""Follow names into values: merged ones, and data in which a Hidden may stand for any part."""

from collections.abc import Mapping
from typing import Any, Final

from envtree.compile.resolve.weight import composite
from envtree.model.expression import NamePath
from envtree.model.merged import Branch, Leaf, Listing, Merged
from envtree.model.resolved import HOLE, UNKNOWN, Hidden, Part, hidden_parts, reveal


class _Missing:
    """There is no such name."""


MISSING: Final = _Missing()


def child(node: Merged | None, part: str | int) -> Merged | None:
    """What a merged map or list has under a key or index."""
    if isinstance(node, Branch):
        return node.entries.get(str(part))
    if isinstance(node, Listing) and isinstance(part, int) and -len(node.items) <= part < len(node.items):
        return node.items[part]
    return None


def descend(node: Merged | None, path: NamePath) -> tuple[Merged | None, int]:
    """Follow a path as far as merged maps and lists go; what is there, and how many names were used."""
    for used, part in enumerate(path):
        if node is None or isinstance(node, Leaf):
            return node, used
        node = child(node, part)
    return node, len(path)


def walk(value: Any, path: NamePath) -> Any:
    """Follow names into data: MISSING when there is none; a part of a hidden value is hidden."""
    for used, part in enumerate(path):
        if isinstance(value, Hidden):
            return _part(value, path[used:])
        if isinstance(value, Mapping) and part in value:
            value = value[str(part)]
        elif isinstance(value, list) and isinstance(part, int) and -len(value) <= part < len(value):
            value = value[part]
        else:
            return MISSING
    return seal(value)


def seal(value: Any) -> Any:
    """Data as it is, or one Hidden for all of it when any part is hidden."""
    if not isinstance(value, (dict, list)):
        return value
    parts = [part for _, part in hidden_parts(value)]
    if not parts:
        return value
    plain = reveal(value) if all(part.known for part in parts) else UNKNOWN
    return Hidden(plain, secret=any(part.secret for part in parts), symbol=composite(value))


def _part(value: Hidden, path: NamePath) -> Any:
    if value is HOLE:
        return value
    inner = walk(value.reveal(), path) if value.known else UNKNOWN
    return inner if inner is MISSING else Hidden(inner, secret=value.secret, symbol=Part(value, path))
