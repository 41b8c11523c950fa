"""The parts of a JSON Schema that are schemas themselves, and where its references lead."""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin

Pointer = tuple[str | int, ...]

_ONE = frozenset(
    {
        *("additionalProperties", "contains", "contentSchema", "else", "if", "items", "not", "propertyNames", "then"),
        *("unevaluatedItems", "unevaluatedProperties"),
    }
)
_SEVERAL = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_NAMED = frozenset({"$defs", "dependentSchemas", "patternProperties", "properties"})
# What lies under these judges the same value as the schema itself.
_SAME_VALUE = frozenset({"allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas"})


def children(schema: Any) -> Iterator[tuple[Pointer, Any]]:
    """The schemas directly in a schema, each with its path from there."""
    for keyword, argument in schema.items() if isinstance(schema, dict) else ():
        if keyword in _ONE:
            yield (keyword,), argument
        elif keyword in _SEVERAL and isinstance(argument, list):
            yield from (((keyword, n), part) for n, part in enumerate(argument))
        elif keyword in _NAMED and isinstance(argument, dict):
            yield from (((keyword, name), part) for name, part in argument.items())


def descendants(schema: Any, at: Pointer = ()) -> Iterator[tuple[Pointer, Any]]:
    """A schema and all schemas in it, each with its path."""
    yield at, schema
    for path, part in children(schema):
        yield from descendants(part, at + path)


class References:
    """Where the references of a schema lead, as long as they stay inside it."""

    def __init__(self, schema: Any) -> None:
        self._bases: dict[int, str] = {}
        self._documents: dict[str, Any] = {"": schema}
        self._anchors: dict[tuple[str, str], Any] = {}
        self._dynamic: dict[tuple[str, str], Any] = {}
        self._index(schema, "")

    def base(self, schema: Any) -> str:
        """The URI that references in a schema start from."""
        return self._bases.get(id(schema), "")

    def target(self, reference: str, base: str) -> Any:
        """The schema that a reference names; None where it lies outside."""
        uri, fragment = urldefrag(base + reference if reference.startswith("#") else urljoin(base, reference))
        fragment = unquote(fragment)
        if fragment and not fragment.startswith("/"):
            return self._anchors.get((uri, fragment))
        found = self._documents.get(uri)
        for part in fragment.split("/")[1:]:
            found = _step(found, part.replace("~1", "/").replace("~0", "~"))
        return found

    def dynamic_target(self, reference: str, base: str, scope: tuple[str, ...]) -> Any:
        """The schema that a `$dynamicRef` names: the outermost of the resources on the way that has the anchor."""
        found = self.target(reference, base)
        name = urldefrag(reference).fragment
        if isinstance(found, dict) and found.get("$dynamicAnchor") == name:
            return next((self._dynamic[uri, name] for uri in scope if (uri, name) in self._dynamic), found)
        return found

    def same_value(self, schema: Any) -> Iterator[Any]:
        """The schemas by which a schema judges the very value that it is asked about."""
        for path, part in children(schema):
            if path[0] in _SAME_VALUE:
                yield part
        for keyword in ("$ref", "$dynamicRef") if isinstance(schema, dict) else ():
            if keyword in schema:
                yield self.target(schema[keyword], self.base(schema))

    def _index(self, schema: Any, base: str) -> None:
        if not isinstance(schema, dict):
            return
        if isinstance(schema.get("$id"), str):
            base = urldefrag(urljoin(base, schema["$id"])).url
            self._documents[base] = schema
        self._bases[id(schema)] = base
        for keyword in ("$anchor", "$dynamicAnchor"):
            if keyword in schema:
                self._anchors[base, schema[keyword]] = schema
        if "$dynamicAnchor" in schema:
            self._dynamic[base, schema["$dynamicAnchor"]] = schema
        for _, part in children(schema):
            self._index(part, base)


def _step(found: Any, part: str) -> Any:
    if isinstance(found, Mapping):
        return found.get(part)
    inside = isinstance(found, list) and part.isdecimal() and int(part) < len(found)
    return found[int(part)] if inside else None
