"""Check the JSON Schema keywords without subschemas, with the same engine that validates whole bundles."""

from collections.abc import Callable
from typing import Any

import jsonschema_rs

from envtree.compile.bundle_lint.violation import DataPath, Violation, make_violation

# Keywords that depend on a value, its keys and its length only, not on its children.
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
    """Compile a schema into a validator that neither hangs on a pattern nor makes requests."""
    return jsonschema_rs.Draft202012Validator(schema, pattern_options=jsonschema_rs.RegexOptions(), offline=True)


class Assertions:
    """Validators of the keywords of each schema, made on demand and cached."""

    def __init__(self) -> None:
        self._shallow: dict[int, _KeywordValidator] = {}
        self._deep: dict[int, _KeywordValidator] = {}
        self._matchers: dict[str, Callable[[str], bool]] = {}
        self._external: dict[str, Callable[[Any], bool]] = {}

    def check_shallow(self, schema: dict[str, Any], value: Any, path: DataPath) -> tuple[Violation, ...]:
        """Return the violations of the keywords that do not depend on the children of a value."""
        validator = self._shallow.get(id(schema)) or self._shallow.setdefault(
            id(schema), _KeywordValidator(schema, _SHALLOW)
        )
        return validator(_without_children(value), path) if validator.arguments else ()

    def check_deep(self, schema: dict[str, Any], value: Any, path: DataPath) -> tuple[Violation, ...]:
        """Return the violations of the keywords that depend on all of a value, which must be known as a whole."""
        validator = self._deep.get(id(schema)) or self._deep.setdefault(id(schema), _KeywordValidator(schema, _DEEP))
        return validator(value, path) if validator.arguments else ()

    def matches_pattern(self, pattern: str, text: str) -> bool:
        """Report whether a pattern matches a key."""
        if pattern not in self._matchers:
            self._matchers[pattern] = compile_schema({"pattern": pattern}).is_valid
        return self._matchers[pattern](text)

    def is_valid_external(self, reference: str, value: Any) -> bool:
        """Report whether a value is valid under a schema outside the policy, one that the engine has built in."""
        if reference not in self._external:
            self._external[reference] = compile_schema({"$ref": reference}).is_valid
        return self._external[reference](value)


class _KeywordValidator:
    """Validator of some keywords of a schema; it refers to the schema, so that the schema's id is not reused."""

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
