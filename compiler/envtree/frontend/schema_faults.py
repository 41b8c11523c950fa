"""Why data breaks a schema, keyword by keyword, by the reference implementation of JSON Schema.

Its own texts quote whole values, so none of them leaves this module. Keywords that it reports at the parent, or that
can hang it, are done here.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

import jsonschema_rs
from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import create
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from envtree.model.canonical_json import compact
from envtree.model.schema_fault import Fault


class FaultFinder:
    """Finds faults; references lead to the given parts only."""

    def __init__(self, parts: Mapping[str, Any]) -> None:
        self._registry: Registry[Any] = Registry().with_resources(
            (name, _resource(part)) for name, part in parts.items()
        )

    def faults(self, name: str, schema: Any, data: Any) -> list[Fault]:
        """All faults of data, in the order in which the schema lists its keywords."""
        uri = f"{name}.schema.json"
        registry = self._registry.with_resource(uri, _resource(schema))
        validator = _Validator({"$ref": uri}, registry=registry)
        return [_fault(error) for error in validator.iter_errors(data)]


def _resource(schema: Mapping[str, Any]) -> Resource[Any]:
    # jsonschema would leave our keywords for the stock ones where a schema names its dialect.
    return DRAFT202012.create_resource({key: value for key, value in schema.items() if key != "$schema"})


def _fault(error: ValidationError) -> Fault:
    keyword = str(error.validator or "")
    return Fault(
        keyword,
        tuple(error.absolute_path),
        error.validator_value,
        error.schema,
        error.instance,
        error.message if keyword in _OWN else "",
        tuple(_fault(inner) for inner in error.context or ()),
    )


Errors = Iterator[ValidationError]


def _required(validator: Any, names: list[str], found: Any, schema: Any) -> Errors:
    if isinstance(found, dict):
        yield from (ValidationError(name) for name in names if name not in found)


def _dependent_required(validator: Any, needs: dict[str, list[str]], found: Any, schema: Any) -> Errors:
    for key, names in needs.items() if isinstance(found, dict) else ():
        if key in found:
            yield from (ValidationError(name, path=[key]) for name in names if name not in found)


def _additional_properties(validator: Any, rest: Any, found: Any, schema: Any) -> Errors:
    # No schema of ours has patternProperties, which would count as known here.
    for key in found if isinstance(found, dict) else ():
        if key in schema.get("properties", ()):
            continue
        if rest is False:
            yield ValidationError(key, path=[key])
        else:
            yield from validator.descend(found[key], rest, path=key)


def _properties(validator: Any, properties: dict[str, Any], found: Any, schema: Any) -> Errors:
    for key, value in properties.items() if isinstance(found, dict) else ():
        if key not in found:
            continue
        if value is False:
            yield ValidationError("", validator="", path=[key])
        else:
            yield from validator.descend(found[key], value, path=key, schema_path=key)


def _property_names(validator: Any, names: Any, found: Any, schema: Any) -> Errors:
    for key in found if isinstance(found, dict) else ():
        inner = list(validator.descend(key, names))
        if inner:
            yield ValidationError(key, path=[key], context=inner)


def _unique_items(validator: Any, unique: bool, found: Any, schema: Any) -> Errors:
    first: dict[str, int] = {}
    for index, item in enumerate(found if unique and isinstance(found, list) else ()):
        seen = first.setdefault(compact(item), index)
        if seen != index:
            yield ValidationError(str(seen), path=[index], instance=item)


def _pattern(validator: Any, pattern: str, found: Any, schema: Any) -> Errors:
    if isinstance(found, str) and not _matcher(pattern).is_valid(found):
        yield ValidationError("")


@cache
def _matcher(pattern: str) -> jsonschema_rs.Draft202012Validator:
    """The engine of the fast path: it takes linear time, and both give one verdict."""
    return jsonschema_rs.Draft202012Validator({"pattern": pattern}, pattern_options=jsonschema_rs.RegexOptions())


_OWN: Mapping[str, Callable[[Any, Any, Any, Any], Errors]] = {
    "required": _required,
    "dependentRequired": _dependent_required,
    "properties": _properties,
    "additionalProperties": _additional_properties,
    "propertyNames": _property_names,
    "uniqueItems": _unique_items,
    "pattern": _pattern,
}
_Validator = create(
    Draft202012Validator.META_SCHEMA,
    {**Draft202012Validator.VALIDATORS, **_OWN},
    type_checker=Draft202012Validator.TYPE_CHECKER,
)
