"""Find why data breaks a schema, keyword by keyword, with the reference implementation of JSON Schema (jsonschema).

The messages of jsonschema quote whole values, so none of them leaves this module. Keywords that it reports at the
parent, or that can make it hang, are overridden here.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

import jsonschema_rs
from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import create
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from envtree.model.canonical_json import encode_compact
from envtree.model.schema_fault import SchemaFault


class FaultFinder:
    """Finds the faults of data; references resolve to the given parts only."""

    def __init__(self, parts: Mapping[str, Any]) -> None:
        self._registry: Registry[Any] = Registry().with_resources(
            (name, _to_resource(part)) for name, part in parts.items()
        )

    def find_faults(self, name: str, schema: Any, data: Any) -> list[SchemaFault]:
        """Return all faults of the data, in the order in which the schema lists its keywords."""
        uri = f"{name}.schema.json"
        registry = self._registry.with_resource(uri, _to_resource(schema))
        validator = _Validator({"$ref": uri}, registry=registry)
        return [_to_fault(error) for error in validator.iter_errors(data)]


def _to_resource(schema: Mapping[str, Any]) -> Resource[Any]:
    # Where a schema names its dialect, jsonschema would use its own keywords instead of the overridden ones.
    return DRAFT202012.create_resource({key: value for key, value in schema.items() if key != "$schema"})


def _to_fault(error: ValidationError) -> SchemaFault:
    keyword = str(error.validator or "")
    return SchemaFault(
        keyword=keyword,
        path=tuple(error.absolute_path),
        argument=error.validator_value,
        schema=error.schema,
        value=error.instance,
        subject=error.message if keyword in _OVERRIDDEN_KEYWORDS else "",
        nested_faults=tuple(_to_fault(inner) for inner in error.context or ()),
    )


ValidationErrors = Iterator[ValidationError]


def _required(validator: Any, names: list[str], instance: Any, schema: Any) -> ValidationErrors:
    if isinstance(instance, dict):
        yield from (ValidationError(name) for name in names if name not in instance)


def _dependent_required(
    validator: Any, requirements: dict[str, list[str]], instance: Any, schema: Any
) -> ValidationErrors:
    for key, names in requirements.items() if isinstance(instance, dict) else ():
        if key in instance:
            yield from (ValidationError(name, path=[key]) for name in names if name not in instance)


def _additional_properties(validator: Any, subschema: Any, instance: Any, schema: Any) -> ValidationErrors:
    # `patternProperties`, which would count as known properties, is not used by the schemas of envtree.
    for key in instance if isinstance(instance, dict) else ():
        if key in schema.get("properties", ()):
            continue
        if subschema is False:
            yield ValidationError(key, path=[key])
        else:
            yield from validator.descend(instance[key], subschema, path=key)


def _properties(validator: Any, properties: dict[str, Any], instance: Any, schema: Any) -> ValidationErrors:
    for key, value in properties.items() if isinstance(instance, dict) else ():
        if key not in instance:
            continue
        if value is False:
            yield ValidationError("", validator="", path=[key])
        else:
            yield from validator.descend(instance[key], value, path=key, schema_path=key)


def _property_names(validator: Any, names: Any, instance: Any, schema: Any) -> ValidationErrors:
    for key in instance if isinstance(instance, dict) else ():
        errors = list(validator.descend(key, names))
        if errors:
            yield ValidationError(key, path=[key], context=errors)


def _unique_items(validator: Any, unique: bool, instance: Any, schema: Any) -> ValidationErrors:
    first_indices: dict[str, int] = {}
    for index, item in enumerate(instance if unique and isinstance(instance, list) else ()):
        first_index = first_indices.setdefault(encode_compact(item), index)
        if first_index != index:
            yield ValidationError(str(first_index), path=[index], instance=item)


def _pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> ValidationErrors:
    if isinstance(instance, str) and not _pattern_validator(pattern).is_valid(instance):
        yield ValidationError("")


@cache
def _pattern_validator(pattern: str) -> jsonschema_rs.Draft202012Validator:
    """Return a validator of the engine that `Schemas` uses: it takes linear time, and both paths give one verdict."""
    return jsonschema_rs.Draft202012Validator({"pattern": pattern}, pattern_options=jsonschema_rs.RegexOptions())


_OVERRIDDEN_KEYWORDS: Mapping[str, Callable[[Any, Any, Any, Any], ValidationErrors]] = {
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
    {**Draft202012Validator.VALIDATORS, **_OVERRIDDEN_KEYWORDS},
    type_checker=Draft202012Validator.TYPE_CHECKER,
)
