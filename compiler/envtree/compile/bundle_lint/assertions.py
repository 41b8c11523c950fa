"""The keywords of JSON Schema that have no schemas in them; the engine that judges whole bundles judges them too."""

from collections.abc import Callable
from typing import Any

import jsonschema_rs

from envtree.compile.bundle_lint.violation import DataPath, Violation, make_violation

# Those that look no deeper than a value, its keys and its length.
_SHALLOW = frozenset(
    {
        *("type", "required", "dependentRequired", "minProperties", "maxProperties", "minItems", "maxItems"),
        *("minLength", "maxLength", "pattern", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
        "multipleOf",
    }
)
_DEEP = frozenset({"const", "enum", "uniqueItems"})
ASSERTIONS = _SHALLOW | _DEEP


def compile_schema(schema: Any) -> Any:
    """A validator that neither hangs on a pattern nor makes a request."""
    return jsonschema_rs.Draft202012Validator(schema, pattern_options=jsonschema_rs.RegexOptions(), offline=True)


class Assertions:
    """Validators of the keywords of each schema, made when they are needed and kept."""

    def __init__(self) -> None:
        self._shallow: dict[int, _KeywordValidator] = {}
        self._deep: dict[int, _KeywordValidator] = {}
        self._matchers: dict[str, Callable[[str], bool]] = {}
        self._external: dict[str, Callable[[Any], bool]] = {}

    def check_shallow(self, schema: dict[str, Any], value: Any, path: DataPath) -> tuple[Violation, ...]:
        """What a value breaks of those that do not look at its parts."""
        check = self._shallow.get(id(schema)) or self._shallow.setdefault(
            id(schema), _KeywordValidator(schema, _SHALLOW)
        )
        return check(_without_children(value), path) if check.arguments else ()

    def check_deep(self, schema: dict[str, Any], value: Any, path: DataPath) -> tuple[Violation, ...]:
        """What a value, of which all is known, breaks of those that look at all of it."""
        check = self._deep.get(id(schema)) or self._deep.setdefault(id(schema), _KeywordValidator(schema, _DEEP))
        return check(value, path) if check.arguments else ()

    def matches_pattern(self, pattern: str, text: str) -> bool:
        """Whether a pattern matches a key."""
        if pattern not in self._matchers:
            self._matchers[pattern] = compile_schema({"pattern": pattern}).is_valid
        return self._matchers[pattern](text)

    def is_valid_external(self, reference: str, value: Any) -> bool:
        """Whether a value fits a schema outside the policy's own, which is one of the engine's."""
        if reference not in self._external:
            self._external[reference] = compile_schema({"$ref": reference}).is_valid
        return self._external[reference](value)


class _KeywordValidator:
    """Some keywords of a schema; the schema is kept, so that its id is not given to another."""

    def __init__(self, schema: dict[str, Any], keywords: frozenset[str]) -> None:
        self.schema = schema
        self.arguments = {keyword: schema[keyword] for keyword in sorted(keywords & schema.keys())}
        self._validator = compile_schema(self.arguments) if self.arguments else None

    def __call__(self, value: Any, path: DataPath) -> tuple[Violation, ...]:
        if self._validator is None or self._validator.is_valid(value):
            return ()
        broken = {str(error.schema_path[0]) for error in self._validator.iter_errors(value)}
        return tuple(make_violation(path, keyword, self.arguments[keyword]) for keyword in sorted(broken))


def _without_children(value: Any) -> Any:
    if isinstance(value, dict):
        return dict.fromkeys(value)
    return [None] * len(value) if isinstance(value, list) else value
