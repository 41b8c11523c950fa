"""The parts of a JSON Schema that are schemas themselves, and where its references lead."""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin

SchemaPath = tuple[str | int, ...]

_SINGLE_SCHEMA_KEYWORDS = frozenset(
    {
        *("additionalProperties", "contains", "contentSchema", "else", "if", "items", "not", "propertyNames", "then"),
        *("unevaluatedItems", "unevaluatedProperties"),
    }
)
_SCHEMA_LIST_KEYWORDS = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_SCHEMA_MAP_KEYWORDS = frozenset({"$defs", "dependentSchemas", "patternProperties", "properties"})
# What lies under these judges the same value as the schema itself.
_IN_PLACE_APPLICATORS = frozenset({"allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas"})


def direct_subschemas(schema: Any) -> Iterator[tuple[SchemaPath, Any]]:
    """The schemas directly in a schema, each with its path from there."""
    for keyword, argument in schema.items() if isinstance(schema, dict) else ():
        if keyword in _SINGLE_SCHEMA_KEYWORDS:
            yield (keyword,), argument
        elif keyword in _SCHEMA_LIST_KEYWORDS and isinstance(argument, list):
            yield from (((keyword, n), part) for n, part in enumerate(argument))
        elif keyword in _SCHEMA_MAP_KEYWORDS and isinstance(argument, dict):
            yield from (((keyword, name), part) for name, part in argument.items())


def all_subschemas(schema: Any, at: SchemaPath = ()) -> Iterator[tuple[SchemaPath, Any]]:
    """A schema and all schemas in it, each with its path."""
    yield at, schema
    for path, part in direct_subschemas(schema):
        yield from all_subschemas(part, at + path)


class ReferenceResolver:
    """Where the references of a schema lead, as long as they stay inside it."""

    def __init__(self, schema: Any) -> None:
        self._base_uris: dict[int, str] = {}
        self._documents: dict[str, Any] = {"": schema}
        self._anchors: dict[tuple[str, str], Any] = {}
        self._dynamic_anchors: dict[tuple[str, str], Any] = {}
        self._index_schema(schema, "")

    def base_uri(self, schema: Any) -> str:
        """The URI that references in a schema start from."""
        return self._base_uris.get(id(schema), "")

    def resolve(self, reference: str, base: str) -> Any:
        """The schema that a reference names; None where it lies outside."""
        uri, fragment = urldefrag(base + reference if reference.startswith("#") else urljoin(base, reference))
        fragment = unquote(fragment)
        if fragment and not fragment.startswith("/"):
            return self._anchors.get((uri, fragment))
        found = self._documents.get(uri)
        for part in fragment.split("/")[1:]:
            found = _follow_pointer(found, part.replace("~1", "/").replace("~0", "~"))
        return found

    def resolve_dynamic(self, reference: str, base: str, scope: tuple[str, ...]) -> Any:
        """The schema that a `$dynamicRef` names: the outermost of the resources on the way that has the anchor."""
        found = self.resolve(reference, base)
        name = urldefrag(reference).fragment
        if isinstance(found, dict) and found.get("$dynamicAnchor") == name:
            return next(
                (self._dynamic_anchors[uri, name] for uri in scope if (uri, name) in self._dynamic_anchors), found
            )
        return found

    def in_place_subschemas(self, schema: Any) -> Iterator[Any]:
        """The schemas by which a schema judges the very value that it is asked about."""
        for path, part in direct_subschemas(schema):
            if path[0] in _IN_PLACE_APPLICATORS:
                yield part
        for keyword in ("$ref", "$dynamicRef") if isinstance(schema, dict) else ():
            if keyword in schema:
                yield self.resolve(schema[keyword], self.base_uri(schema))

    def _index_schema(self, schema: Any, base: str) -> None:
        if not isinstance(schema, dict):
            return
        if isinstance(schema.get("$id"), str):
            base = urldefrag(urljoin(base, schema["$id"])).url
            self._documents[base] = schema
        self._base_uris[id(schema)] = base
        for keyword in ("$anchor", "$dynamicAnchor"):
            if keyword in schema:
                self._anchors[base, schema[keyword]] = schema
        if "$dynamicAnchor" in schema:
            self._dynamic_anchors[base, schema["$dynamicAnchor"]] = schema
        for _, part in direct_subschemas(schema):
            self._index_schema(part, base)


def _follow_pointer(schema: Any, part: str) -> Any:
    if isinstance(schema, Mapping):
        return schema.get(part)
    inside = isinstance(schema, list) and part.isdecimal() and int(part) < len(schema)
    return schema[int(part)] if inside else None
