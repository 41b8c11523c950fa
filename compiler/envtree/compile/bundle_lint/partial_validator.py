"""Judge data with unknown parts against a schema: what is certain fails, what hangs on an unknown is undecided."""

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

# Keywords that say something about what is inside of a map or a list.
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
    """A schema, ready to judge any number of bundles."""

    def __init__(self, schema: Any) -> None:
        self._schema = schema
        self._references = ReferenceResolver(schema)
        self._assertions = Assertions()

    def __call__(self, data: Any) -> tuple[list[Violation], list[DataPath]]:
        """What certainly breaks the schema, and the unknown paths that it would have to see."""
        unknowns = list(_unknown_paths(data, ()))
        try:
            verdict = _PartialValidation(self._references, self._assertions, unknowns).validate(
                self._schema, data, (), ("",)
            )
        except RecursionError:
            return [], unknowns
        return list(verdict.violations), sorted(verdict.undecided, key=str)


class _PartialValidation:
    """One bundle before the judge; no part of it is asked twice by the same schema."""

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
        """The verdict on the value at a path, or on its name."""
        if not isinstance(schema, dict):
            return VALID if schema is not False else PartialResult((false_schema_violation(path),))
        base = self._references.base_uri(schema)
        scope = scope if scope[-1] == base else (*scope, base)
        asked = (id(schema), path, scope, is_name)
        if asked not in self._cache:
            parts = [self._check_assertions(schema, value, path), *self._check_in_place(schema, value, path, scope)]
            if isinstance(value, dict):
                parts += self._check_properties(schema, value, path, scope)
            elif isinstance(value, list):
                parts += self._check_items(schema, value, path, scope)
            self._cache[asked] = self._check_unevaluated(schema, value, path, scope, combine_results(parts))
        return self._cache[asked]

    def _check_assertions(self, schema: dict[str, Any], value: Any, path: DataPath) -> PartialResult:
        if isinstance(value, HiddenValue):
            return PartialResult((), frozenset({path})) if _VALUE_KEYWORDS & schema.keys() else VALID
        breaches = self._assertions.check_shallow(schema, value, path)
        if path not in self._unknowns_below or not isinstance(value, (dict, list)):
            breaches += self._assertions.check_deep(schema, value, path)
            return PartialResult(breaches) if breaches else VALID
        undecided = self._unknowns_below[path] if {"const", "enum"} & schema.keys() else set()
        if schema.get("uniqueItems") is True and isinstance(value, list):
            known = [item for n, item in enumerate(value) if (*path, n) not in self._unknowns_below]
            breaches += self._assertions.check_deep(_UNIQUE, known, path)
            undecided = undecided | self._unknowns_below[path]
        return PartialResult(breaches, frozenset(undecided))

    def _check_in_place(
        self, schema: dict[str, Any], value: Any, path: DataPath, scope: tuple[str, ...]
    ) -> Iterator[PartialResult]:
        """What the schemas say that judge the same value."""
        for part in schema.get("allOf", ()):
            yield self.validate(part, value, path, scope)
        if "$ref" in schema:
            target = self._references.resolve(schema["$ref"], scope[-1])
            yield self._check_reference(schema["$ref"], target, value, path, scope)
        if "$dynamicRef" in schema:
            target = self._references.resolve_dynamic(schema["$dynamicRef"], scope[-1], scope)
            yield self._check_reference(schema["$dynamicRef"], target, value, path, scope)
        for keyword, most in (("anyOf", _UNLIMITED), ("oneOf", 1)):
            if keyword in schema:
                parts = [self.validate(part, value, path, scope) for part in schema[keyword]]
                yield require_count(parts, 1, most, make_violation(path, keyword, schema[keyword]))
        if "not" in schema:
            part = self.validate(schema["not"], value, path, scope)
            yield require_count([part], 0, 0, make_violation(path, "not", schema["not"]))._replace(
                evaluated=frozenset(), maybe_evaluated=frozenset()
            )
        if "if" in schema:
            yield self._check_condition(schema, value, path, scope)
        for name, part in schema.get("dependentSchemas", {}).items():
            if isinstance(value, dict) and name in value:
                yield self.validate(part, value, path, scope)

    def _check_reference(
        self, reference: str, target: Any, value: Any, path: DataPath, scope: tuple[str, ...]
    ) -> PartialResult:
        if target is not None:
            return self.validate(target, value, path, scope)
        if path in self._unknowns_below:
            return PartialResult((), frozenset(self._unknowns_below[path]))
        fits = self._assertions.is_valid_external(reference, value)
        return VALID if fits else PartialResult((make_violation(path, "$ref", reference),))

    def _check_condition(
        self, schema: dict[str, Any], value: Any, path: DataPath, scope: tuple[str, ...]
    ) -> PartialResult:
        test = self.validate(schema["if"], value, path, scope)
        then, other = (self.validate(schema.get(word, True), value, path, scope) for word in ("then", "else"))
        if test.violations:
            return other
        if test.is_valid:
            return combine_results([test, then])
        # What both would say is certain.
        breaches = tuple(each for each in then.violations if each in other.violations)
        undecided = (
            frozenset() if then.is_valid and other.is_valid else test.undecided | then.undecided | other.undecided
        )
        _, maybe = evaluated_keys(
            [test, then._replace(undecided=test.undecided), other._replace(undecided=test.undecided)]
        )
        return PartialResult(breaches, undecided, frozenset(), maybe)

    def _check_properties(
        self, schema: dict[str, Any], value: dict[str, Any], path: DataPath, scope: tuple[str, ...]
    ) -> Iterator[PartialResult]:
        properties, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
        seen = set()
        for key, inner in value.items():
            parts = [properties[key]] if key in properties else []
            parts += [part for pattern, part in patterns.items() if self._assertions.matches_pattern(pattern, key)]
            if not parts and "additionalProperties" in schema:
                parts = [schema["additionalProperties"]]
                if parts[0] is False:
                    yield PartialResult((make_violation(path, "additionalProperties", False),))
                    continue
            if parts:
                seen.add(key)
            for part in parts:
                yield self._without_evaluated(self.validate(part, inner, (*path, key), scope))
            if "propertyNames" in schema:
                told = self.validate(schema["propertyNames"], key, (*path, key), scope, is_name=True).violations
                yield PartialResult(tuple(Violation(path, f"propertyNames: {rule}") for _, rule in told))
        yield PartialResult(evaluated=frozenset(seen))

    def _check_items(
        self, schema: dict[str, Any], value: list[Any], path: DataPath, scope: tuple[str, ...]
    ) -> Iterator[PartialResult]:
        first = schema.get("prefixItems", [])
        for n, item in enumerate(value):
            if n < len(first) or "items" in schema:
                part = first[n] if n < len(first) else schema["items"]
                yield self._without_evaluated(self.validate(part, item, (*path, n), scope))._replace(
                    evaluated=frozenset({n})
                )
        if "contains" in schema:
            parts = [self.validate(schema["contains"], item, (*path, n), scope) for n, item in enumerate(value)]
            found = [
                part._replace(evaluated=frozenset({n}), maybe_evaluated=frozenset()) for n, part in enumerate(parts)
            ]
            least, most = schema.get("minContains", 1), schema.get("maxContains", _UNLIMITED)
            sure = sum(part.is_valid for part in parts)
            keyword = "maxContains" if sure > most else "minContains" if "minContains" in schema else "contains"
            yield require_count(found, least, most, make_violation(path, keyword, schema[keyword]))

    def _check_unevaluated(
        self, schema: dict[str, Any], value: Any, path: DataPath, scope: tuple[str, ...], result: PartialResult
    ) -> PartialResult:
        """The verdict with what `unevaluatedProperties` or `unevaluatedItems` say of the keys that are left."""
        keyword = "unevaluatedProperties" if isinstance(value, dict) else "unevaluatedItems"
        if keyword not in schema or not isinstance(value, (dict, list)):
            return result
        parts = []
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in pairs:
            if key in result.evaluated:
                continue
            part = self.validate(schema[keyword], inner, (*path, key), scope)
            if key in result.maybe_evaluated and not part.is_valid:
                parts.append(PartialResult((), frozenset(self._unknowns_below[path])))
            elif part.violations:
                parts.append(PartialResult((make_violation(path, keyword, schema[keyword]),)))
            else:
                parts.append(self._without_evaluated(part))
        keys = frozenset(value) if isinstance(value, dict) else frozenset(range(len(value)))
        return combine_results([result, *parts, PartialResult(evaluated=keys)])

    @staticmethod
    def _without_evaluated(result: PartialResult) -> PartialResult:
        """A verdict on a part, whose keys are not those of the whole."""
        return (
            result._replace(evaluated=frozenset(), maybe_evaluated=frozenset())
            if result.evaluated or result.maybe_evaluated
            else result
        )


def validate_partially(schema: Any, data: Any) -> tuple[list[Violation], list[DataPath]]:
    """What certainly breaks the schema, and the unknown paths that it would have to see."""
    return PartialValidator(schema)(data)


def _unknown_paths(value: Any, path: DataPath) -> Iterator[DataPath]:
    if isinstance(value, HiddenValue):
        yield path
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _unknown_paths(inner, (*path, key))
    elif isinstance(value, list):
        for n, inner in enumerate(value):
            yield from _unknown_paths(inner, (*path, n))
