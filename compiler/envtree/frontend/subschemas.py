"""Find the subschemas of a JSON Schema, and resolve its references."""

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
# `definitions` is the name of `$defs` in older drafts, under which the engine still finds schemas.
_SCHEMA_MAP_KEYWORDS = frozenset({"$defs", "definitions", "dependentSchemas", "patternProperties", "properties"})
# Keywords whose subschemas apply to the same value as the schema itself.
_IN_PLACE_APPLICATORS = frozenset({"allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas"})


def direct_subschemas(schema: Any) -> Iterator[tuple[SchemaPath, Any]]:
    """Yield the schemas directly in a schema, each with its relative path."""
    for keyword, argument in schema.items() if isinstance(schema, dict) else ():
        if keyword in _SINGLE_SCHEMA_KEYWORDS:
            yield (keyword,), argument
        elif keyword in _SCHEMA_LIST_KEYWORDS and isinstance(argument, list):
            yield from (((keyword, index), part) for index, part in enumerate(argument))
        elif keyword in _SCHEMA_MAP_KEYWORDS and isinstance(argument, dict):
            yield from (((keyword, name), part) for name, part in argument.items())


def all_subschemas(schema: Any, at: SchemaPath = ()) -> Iterator[tuple[SchemaPath, Any]]:
    """Yield a schema and all schemas in it, each with its path."""
    yield at, schema
    for path, part in direct_subschemas(schema):
        yield from all_subschemas(part, at + path)


class ReferenceResolver:
    """Resolves the references of a schema that stay inside it."""

    def __init__(self, schema: Any) -> None:
        self._base_uris: dict[int, str] = {}
        self._documents: dict[str, Any] = {"": schema}
        self._anchors: dict[tuple[str, str], Any] = {}
        self._dynamic_anchors: dict[tuple[str, str], Any] = {}
        self._index_schema(schema, "")

    def base_uri(self, schema: Any) -> str:
        """Return the base URI of the references in a schema."""
        return self._base_uris.get(id(schema), "")

    def absolute_uri(self, reference: str, base: str) -> str:
        """Return a reference resolved against a base URI."""
        return base + reference if reference.startswith("#") else urljoin(base, reference)

    def resolve(self, reference: str, base: str) -> Any:
        """Return the schema that a reference names; None if it is outside."""
        uri, fragment = urldefrag(self.absolute_uri(reference, base))
        fragment = unquote(fragment)
        if fragment and not fragment.startswith("/"):
            return self._anchors.get((uri, fragment))
        target = self._documents.get(uri)
        for token in fragment.split("/")[1:]:
            target = _follow_pointer(target, token.replace("~1", "/").replace("~0", "~"))
        return target

    def resolve_dynamic(self, reference: str, base: str, scope: tuple[str, ...]) -> Any:
        """Return the schema that a `$dynamicRef` names: that of the outermost resource in `scope` with the anchor."""
        target = self.resolve(reference, base)
        name = urldefrag(reference).fragment
        if isinstance(target, dict) and target.get("$dynamicAnchor") == name:
            return next(
                (self._dynamic_anchors[uri, name] for uri in scope if (uri, name) in self._dynamic_anchors), target
            )
        return target

    def in_place_subschemas(self, schema: Any) -> Iterator[Any]:
        """Yield the schemas that a schema applies to the same value as itself, references included."""
        for path, part in direct_subschemas(schema):
            if path[0] in _IN_PLACE_APPLICATORS:
                yield part
        for reference in _references(schema):
            yield self.resolve(reference, self.base_uri(schema))

    def external_references(self, schema: Any) -> Iterator[tuple[str, str]]:
        """Yield each reference that leads out of a schema, as written and as an absolute URI."""
        pending, seen = [schema], set[int]()
        while pending:
            part = pending.pop()
            if id(part) in seen:
                continue
            seen.add(id(part))
            pending.extend(child for _, child in direct_subschemas(part))
            for reference in _references(part):
                target = self.resolve(reference, self.base_uri(part))
                if target is None:
                    yield reference, self.absolute_uri(reference, self.base_uri(part))
                else:
                    pending.append(target)

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


def _references(schema: Any) -> Iterator[str]:
    for keyword in ("$ref", "$dynamicRef") if isinstance(schema, dict) else ():
        if keyword in schema:
            yield schema[keyword]


def _follow_pointer(schema: Any, token: str) -> Any:
    if isinstance(schema, Mapping):
        return schema.get(token)
    is_index = isinstance(schema, list) and token.isdecimal() and int(token) < len(schema)
    return schema[int(token)] if is_index else None
