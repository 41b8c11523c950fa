"""How many schemas a policy's schema asks about one value: references may lead in a circle, or fan out without end."""

from typing import Any

from envtree.frontend.subschemas import References, descendants

_MOST = 10_000


def endless(schema: Any) -> str:
    """What never ends about a schema, in words; empty where everything ends."""
    references = References(schema)
    known: dict[int, int] = {}
    try:
        if any(_count(part, references, known, set()) > _MOST for _, part in descendants(schema)):
            return f"leads from one value to more than {_MOST} schemas"
    except RecursionError:
        return "has references that lead too far"
    except _CircleError:
        return "has a reference that leads back to itself"
    return ""


class _CircleError(Exception):
    """A schema asks itself about the value that it is asked about."""


def _count(schema: Any, references: References, known: dict[int, int], under_way: set[int]) -> int:
    if not isinstance(schema, dict):
        return 1
    name = id(schema)
    if name in under_way:
        raise _CircleError
    if name not in known:
        under_way.add(name)
        parts = references.same_value(schema)
        known[name] = 1 + sum(_count(part, references, known, under_way) for part in parts)
        under_way.remove(name)
    return known[name]
