"""How many schemas a policy's schema asks about one value: references may lead in a circle, or fan out without end."""

from typing import Any

from envtree.frontend.subschemas import ReferenceResolver, all_subschemas

_MAX_SCHEMAS = 10_000


def describe_unbounded_expansion(schema: Any) -> str:
    """What never ends about a schema, in words; empty where everything ends."""
    references = ReferenceResolver(schema)
    counts: dict[int, int] = {}
    try:
        if any(
            _count_applied_schemas(part, references, counts, set()) > _MAX_SCHEMAS for _, part in all_subschemas(schema)
        ):
            return f"leads from one value to more than {_MAX_SCHEMAS} schemas"
    except RecursionError:
        return "has references that lead too far"
    except _ReferenceCycleError:
        return "has a reference that leads back to itself"
    return ""


class _ReferenceCycleError(Exception):
    """A schema asks itself about the value that it is asked about."""


def _count_applied_schemas(
    schema: Any, references: ReferenceResolver, counts: dict[int, int], in_progress: set[int]
) -> int:
    if not isinstance(schema, dict):
        return 1
    name = id(schema)
    if name in in_progress:
        raise _ReferenceCycleError
    if name not in counts:
        in_progress.add(name)
        parts = references.in_place_subschemas(schema)
        counts[name] = 1 + sum(_count_applied_schemas(part, references, counts, in_progress) for part in parts)
        in_progress.remove(name)
    return counts[name]
