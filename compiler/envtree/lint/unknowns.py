"""Judge data with unknown parts against a schema: what is certain fails, what hangs on an unknown is undecided."""

from collections.abc import Iterator
from typing import Any

import re2
from jsonschema import Draft202012Validator, ValidationError, validators

from envtree.lint.breach import Breach, Path, breach
from envtree.resolved import Hidden

# Under these a part that merely passes for lack of knowledge may make the whole fail.
_INVERTING = frozenset({"not", "oneOf", "if", "contains", "dependentSchemas"})

# Keywords that look at the presence of names only, never at a value.
_STRUCTURAL = frozenset({"required", "minProperties", "maxProperties", "propertyNames", "dependentRequired"})


def judge(schema: Any, data: Any) -> tuple[list[Breach], list[Path]]:
    """What certainly breaks the schema, and the unknown paths that it would have to see."""
    touched: set[Path] = set()
    extend: Any = validators.extend
    validator = extend(Draft202012Validator, _guarded(touched, data))(schema)
    found = validator.iter_errors(data)
    errors = [breach(error.absolute_path, str(error.validator), error.validator_value) for error in found]
    if touched and _mentions(schema, _INVERTING):
        errors = []
    return errors, sorted(touched, key=str)


def _guarded(touched: set[Path], root: Any) -> dict[str, Any]:
    places = {id(value): path for value, path in _unknowns(root, ())}

    def guard(original: Any) -> Any:
        def check(validator: Any, argument: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
            if isinstance(instance, Hidden):
                touched.add(places[id(instance)])
                return iter(())
            return iter(original(validator, argument, instance, schema) or ())

        return check

    def whole(original: Any) -> Any:
        def check(validator: Any, argument: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
            inside = [path for _, path in _unknowns(instance, ())]
            if inside:
                touched.update(path for value, path in _unknowns(root, ()) if _within(value, instance))
                return iter(())
            return iter(original(validator, argument, instance, schema) or ())

        return check

    keywords = Draft202012Validator.VALIDATORS
    guarded = {name: guard(check) for name, check in keywords.items() if name not in _STRUCTURAL | {"$ref", "allOf"}}
    guarded |= {name: whole(keywords[name]) for name in ("enum", "const", "uniqueItems")}
    guarded["pattern"] = guard(_pattern)
    return guarded


def _pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if isinstance(instance, str) and re2.search(pattern, instance) is None:
        yield ValidationError("pattern")


def _unknowns(value: Any, path: Path) -> Iterator[tuple[Hidden, Path]]:
    if isinstance(value, Hidden):
        yield value, path
    elif isinstance(value, dict):
        for key, child in value.items():
            yield from _unknowns(child, (*path, key))
    elif isinstance(value, list):
        for n, child in enumerate(value):
            yield from _unknowns(child, (*path, n))


def _within(value: Hidden, instance: Any) -> bool:
    return any(found is value for found, _ in _unknowns(instance, ()))


def _mentions(schema: Any, keywords: frozenset[str]) -> bool:
    if isinstance(schema, dict):
        return not keywords.isdisjoint(schema) or any(_mentions(child, keywords) for child in schema.values())
    return isinstance(schema, list) and any(_mentions(child, keywords) for child in schema)
