"""Follow paths into merged values, and into data of which any part may be a HiddenValue."""

from collections.abc import Mapping
from typing import Any, Final

from envtree.compile.resolve.symbol_weight import make_composite
from envtree.model.expression import NamePath
from envtree.model.merged import MergedMapping, MergedScalar, MergedSequence, MergedValue
from envtree.model.resolved import ERROR_VALUE, UNKNOWN, HiddenValue, PartSymbol, hidden_parts, reveal


class _MissingType:
    """The type of `MISSING`, the result for a name that does not exist."""


MISSING: Final = _MissingType()


def child_of(node: MergedValue | None, part: str | int) -> MergedValue | None:
    """Return the child of a merged map or list at a key or index, None if there is none."""
    if isinstance(node, MergedMapping):
        return node.entries.get(str(part))
    if isinstance(node, MergedSequence) and isinstance(part, int) and -len(node.items) <= part < len(node.items):
        return node.items[part]
    return None


def descend_merged(node: MergedValue | None, path: NamePath) -> tuple[MergedValue | None, int]:
    """Follow a path through merged maps and lists; return the value reached, and how many steps were used."""
    for used, part in enumerate(path):
        if node is None or isinstance(node, MergedScalar):
            return node, used
        node = child_of(node, part)
    return node, len(path)


def descend_data(value: Any, path: NamePath) -> Any:
    """Follow a path into data; MISSING if it does not exist. A part of a hidden value is hidden."""
    for used, part in enumerate(path):
        if isinstance(value, HiddenValue):
            return _hidden_part(value, path[used:])
        if isinstance(value, Mapping) and part in value:
            value = value[str(part)]
        elif isinstance(value, list) and isinstance(part, int) and -len(value) <= part < len(value):
            value = value[part]
        else:
            return MISSING
    return collapse_hidden(value)


def collapse_hidden(value: Any) -> Any:
    """Return the data as it is, or one HiddenValue for all of it if any part is hidden."""
    if not isinstance(value, (dict, list)):
        return value
    parts = [part for _, part in hidden_parts(value)]
    if not parts:
        return value
    plain = reveal(value) if all(part.is_known for part in parts) else UNKNOWN
    return HiddenValue(plain, secret=any(part.secret for part in parts), symbol=make_composite(value))


def _hidden_part(value: HiddenValue, path: NamePath) -> Any:
    if value is ERROR_VALUE:
        return value
    part = descend_data(value.reveal(), path) if value.is_known else UNKNOWN
    return part if part is MISSING else HiddenValue(part, secret=value.secret, symbol=PartSymbol(value, path))
