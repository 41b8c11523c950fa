"""Validate data with unknown parts: a violation is certain, or the result is undecided because of an unknown part."""

from collections.abc import Iterator
from typing import Any

from envtree.compile.bundle_lint.assertions import ASSERTIONS, Assertions
from envtree.compile.bundle_lint.partial_result import (
    VALID,
    PartialResult,
    combine_results,
    evaluated_keys,
    require_count,
)
from envtree.compile.bundle_lint.violation import DataPath, Violation, false_schema_violation, make_violation
from envtree.frontend.subschemas import ReferenceResolver
from envtree.model.resolved import HiddenValue

# Keywords that apply to the children of a map or a list.
_CHILD_KEYWORDS = frozenset(
    {
        *("properties", "patternProperties", "additionalProperties", "propertyNames", "unevaluatedProperties"),
        *("items", "prefixItems", "contains", "unevaluatedItems"),
    }
)
_VALUE_KEYWORDS = ASSERTIONS | _CHILD_KEYWORDS | {"dependentSchemas"}
_UNIQUE = {"uniqueItems": True}
_UNLIMITED = float("inf")


class PartialValidator:
    """Validator of a schema for any number of bundles."""

    def __init__(self, schema: Any) -> None:
        self._schema = schema
        self._references = ReferenceResolver(schema)
        self._assertions = Assertions()

    def __call__(self, data: Any) -> tuple[list[Violation], list[DataPath]]:
        """Return the certain violations, and the unknown paths on which the result depends."""
        unknowns = list(_unknown_paths(data, ()))
        try:
            result = _PartialValidation(self._references, self._assertions, unknowns).validate(
                self._schema, data, (), ("",)
            )
        except RecursionError:
            return [], unknowns
        return list(result.violations), sorted(result.undecided, key=str)


class _PartialValidation:
    """The validation of one bundle; the result of each schema at each path is cached."""

    def __init__(self, references: ReferenceResolver, assertions: Assertions, unknowns: list[DataPath]) -> None:
        self._references = references
        self._assertions = assertions
        self._cache: dict[tuple[int, DataPath, tuple[str, ...], bool], PartialResult] = {}
        self._unknowns_below: dict[DataPath, set[DataPath]] = {}
        for path in unknowns:
            for length in range(len(path) + 1):
                self._unknowns_below.setdefault(path[:length], set()).add(path)

    def validate(
        self, schema: Any, value: Any, path: DataPath, scope: tuple[str, ...], *, is_name: bool = False
    ) -> PartialResult:
        """Validate the value at a path, or its name."""
        if not isinstance(schema, dict):
            return VALID if schema is not False else PartialResult((false_schema_violation(path),))
        base = self._references.base_uri(schema)
        scope = scope if scope[-1] == base else (*scope, base)
        cache_key = (id(schema), path, scope, is_name)
        if cache_key not in self._cache:
            parts = [self._check_assertions(schema, value, path), *self._check_in_place(schema, value, path, scope)]
            if isinstance(value, dict):
                parts += self._check_properties(schema, value, path, scope)
            elif isinstance(value, list):
                parts += self._check_items(schema, value, path, scope)
            self._cache[cache_key] = self._check_unevaluated(schema, value, path, scope, combine_results(parts))
        return self._cache[cache_key]

    def _check_assertions(self, schema: dict[str, Any], value: Any, path: DataPath) -> PartialResult:
        if isinstance(value, HiddenValue):
            return PartialResult((), frozenset({path})) if _VALUE_KEYWORDS & schema.keys() else VALID
        violations = self._assertions.check_shallow(schema, value, path)
        if path not in self._unknowns_below or not isinstance(value, (dict, list)):
            violations += self._assertions.check_deep(schema, value, path)
            return PartialResult(violations) if violations else VALID
        undecided = self._unknowns_below[path] if {"const", "enum"} & schema.keys() else set()
        if schema.get("uniqueItems") is True and isinstance(value, list):
            known_items = [item for index, item in enumerate(value) if (*path, index) not in self._unknowns_below]
            violations += self._assertions.check_deep(_UNIQUE, known_items, path)
            undecided = undecided | self._unknowns_below[path]
        return PartialResult(violations, frozenset(undecided))

    def _check_in_place(
        self, schema: dict[str, Any], value: Any, path: DataPath, scope: tuple[str, ...]
    ) -> Iterator[PartialResult]:
        """Yield the results of the subschemas that apply to the same value."""
        for subschema in schema.get("allOf", ()):
            yield self.validate(subschema, value, path, scope)
        if "$ref" in schema:
            target = self._references.resolve(schema["$ref"], scope[-1])
            yield self._check_reference(schema["$ref"], target, value, path, scope)
        if "$dynamicRef" in schema:
            target = self._references.resolve_dynamic(schema["$dynamicRef"], scope[-1], scope)
            yield self._check_reference(schema["$dynamicRef"], target, value, path, scope)
        for keyword, most in (("anyOf", _UNLIMITED), ("oneOf", 1)):
            if keyword in schema:
                results = [self.validate(subschema, value, path, scope) for subschema in schema[keyword]]
                yield require_count(results, 1, most, make_violation(path, keyword, schema[keyword]))
        if "not" in schema:
            result = self.validate(schema["not"], value, path, scope)
            yield require_count([result], 0, 0, make_violation(path, "not", schema["not"]))._replace(
                evaluated=frozenset(), maybe_evaluated=frozenset()
            )
        if "if" in schema:
            yield self._check_condition(schema, value, path, scope)
        for name, subschema in schema.get("dependentSchemas", {}).items():
            if isinstance(value, dict) and name in value:
                yield self.validate(subschema, value, path, scope)

    def _check_reference(
        self, reference: str, target: Any, value: Any, path: DataPath, scope: tuple[str, ...]
    ) -> PartialResult:
        if target is not None:
            return self.validate(target, value, path, scope)
        if path in self._unknowns_below:
            return PartialResult((), frozenset(self._unknowns_below[path]))
        uri = self._references.absolute_uri(reference, scope[-1])
        is_valid = self._assertions.is_valid_external(uri, value)
        return VALID if is_valid else PartialResult((make_violation(path, "$ref", reference),))

    def _check_condition(
        self, schema: dict[str, Any], value: Any, path: DataPath, scope: tuple[str, ...]
    ) -> PartialResult:
        condition = self.validate(schema["if"], value, path, scope)
        then, otherwise = (self.validate(schema.get(word, True), value, path, scope) for word in ("then", "else"))
        if condition.violations:
            return otherwise
        if condition.is_valid:
            return combine_results([condition, then])
        # A violation is certain only if both branches have it.
        violations = tuple(violation for violation in then.violations if violation in otherwise.violations)
        is_decided = then.is_valid and otherwise.is_valid
        undecided = frozenset() if is_decided else condition.undecided | then.undecided | otherwise.undecided
        branches = [branch._replace(undecided=condition.undecided) for branch in (then, otherwise)]
        _, maybe_evaluated = evaluated_keys([condition, *branches])
        return PartialResult(violations, undecided, frozenset(), maybe_evaluated)

    def _check_properties(
        self, schema: dict[str, Any], value: dict[str, Any], path: DataPath, scope: tuple[str, ...]
    ) -> Iterator[PartialResult]:
        properties, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
        evaluated = set()
        for key, child in value.items():
            subschemas = [properties[key]] if key in properties else []
            subschemas += [
                subschema for pattern, subschema in patterns.items() if self._assertions.matches_pattern(pattern, key)
            ]
            if not subschemas and "additionalProperties" in schema:
                subschemas = [schema["additionalProperties"]]
                if subschemas[0] is False:
                    yield PartialResult((make_violation(path, "additionalProperties", False),))
                    continue
            if subschemas:
                evaluated.add(key)
            for subschema in subschemas:
                yield self._without_evaluated(self.validate(subschema, child, (*path, key), scope))
            if "propertyNames" in schema:
                violations = self.validate(schema["propertyNames"], key, (*path, key), scope, is_name=True).violations
                yield PartialResult(tuple(Violation(path, f"propertyNames: {rule}") for _, rule in violations))
        yield PartialResult(evaluated=frozenset(evaluated))

    def _check_items(
        self, schema: dict[str, Any], value: list[Any], path: DataPath, scope: tuple[str, ...]
    ) -> Iterator[PartialResult]:
        prefix = schema.get("prefixItems", [])
        for index, item in enumerate(value):
            if index < len(prefix) or "items" in schema:
                subschema = prefix[index] if index < len(prefix) else schema["items"]
                yield self._without_evaluated(self.validate(subschema, item, (*path, index), scope))._replace(
                    evaluated=frozenset({index})
                )
        if "contains" in schema:
            results = [
                self.validate(schema["contains"], item, (*path, index), scope)._replace(
                    evaluated=frozenset({index}), maybe_evaluated=frozenset()
                )
                for index, item in enumerate(value)
            ]
            least, most = schema.get("minContains", 1), schema.get("maxContains", _UNLIMITED)
            is_excess = sum(result.is_valid for result in results) > most
            keyword = "maxContains" if is_excess else "minContains" if "minContains" in schema else "contains"
            yield require_count(results, least, most, make_violation(path, keyword, schema[keyword]))

    def _check_unevaluated(
        self, schema: dict[str, Any], value: Any, path: DataPath, scope: tuple[str, ...], result: PartialResult
    ) -> PartialResult:
        """Combine a result with that of `unevaluatedProperties` or `unevaluatedItems` on the keys that are left."""
        keyword = "unevaluatedProperties" if isinstance(value, dict) else "unevaluatedItems"
        if keyword not in schema or not isinstance(value, (dict, list)):
            return result
        child_results = []
        children = value.items() if isinstance(value, dict) else enumerate(value)
        for key, child in children:
            if key in result.evaluated:
                continue
            child_result = self.validate(schema[keyword], child, (*path, key), scope)
            if key in result.maybe_evaluated and not child_result.is_valid:
                child_results.append(PartialResult((), frozenset(self._unknowns_below[path])))
            elif child_result.violations:
                child_results.append(PartialResult((make_violation(path, keyword, schema[keyword]),)))
            else:
                child_results.append(self._without_evaluated(child_result))
        keys = frozenset(value) if isinstance(value, dict) else frozenset(range(len(value)))
        return combine_results([result, *child_results, PartialResult(evaluated=keys)])

    @staticmethod
    def _without_evaluated(result: PartialResult) -> PartialResult:
        """Return the result of a child without its evaluated keys, which are not keys of the parent."""
        return (
            result._replace(evaluated=frozenset(), maybe_evaluated=frozenset())
            if result.evaluated or result.maybe_evaluated
            else result
        )


def validate_partially(schema: Any, data: Any) -> tuple[list[Violation], list[DataPath]]:
    """Return the certain violations, and the unknown paths on which the result depends."""
    return PartialValidator(schema)(data)


def _unknown_paths(value: Any, path: DataPath) -> Iterator[DataPath]:
    if isinstance(value, HiddenValue):
        yield path
    elif isinstance(value, dict):
        for key, child in value.items():
            yield from _unknown_paths(child, (*path, key))
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from _unknown_paths(child, (*path, index))
