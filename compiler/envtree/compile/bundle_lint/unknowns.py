"""Judge data with unknown parts against a schema: what is certain fails, what hangs on an unknown is undecided."""

from collections.abc import Iterator
from typing import Any

from envtree.compile.bundle_lint.assertions import ASSERTIONS, Assertions
from envtree.compile.bundle_lint.breach import Breach, Path, breach, nothing_fits
from envtree.compile.bundle_lint.verdict import FITS, Verdict, count, evaluated, every
from envtree.frontend.subschemas import References
from envtree.model.resolved import Hidden

# Keywords that say something about what is inside of a map or a list.
_INSIDE = frozenset(
    {
        *("properties", "patternProperties", "additionalProperties", "propertyNames", "unevaluatedProperties"),
        *("items", "prefixItems", "contains", "unevaluatedItems"),
    }
)
_LOOKS = ASSERTIONS | _INSIDE | {"dependentSchemas"}
_UNIQUE = {"uniqueItems": True}
_UNLIMITED = float("inf")


class Judge:
    """A schema, ready to judge any number of bundles."""

    def __init__(self, schema: Any) -> None:
        self._schema = schema
        self._references = References(schema)
        self._assertions = Assertions()

    def __call__(self, data: Any) -> tuple[list[Breach], list[Path]]:
        """What certainly breaks the schema, and the unknown paths that it would have to see."""
        unknowns = list(_unknowns(data, ()))
        try:
            verdict = _Case(self._references, self._assertions, unknowns).judge(self._schema, data, (), ("",))
        except RecursionError:
            return [], unknowns
        return list(verdict.breaches), sorted(verdict.undecided, key=str)


class _Case:
    """One bundle before the judge; no part of it is asked twice by the same schema."""

    def __init__(self, references: References, assertions: Assertions, unknowns: list[Path]) -> None:
        self._references = references
        self._assertions = assertions
        self._known: dict[tuple[int, Path, tuple[str, ...], bool], Verdict] = {}
        self._inside: dict[Path, set[Path]] = {}
        for path in unknowns:
            for length in range(len(path) + 1):
                self._inside.setdefault(path[:length], set()).add(path)

    def judge(self, schema: Any, value: Any, path: Path, scope: tuple[str, ...], *, name: bool = False) -> Verdict:
        """The verdict on the value at a path, or on its name."""
        if not isinstance(schema, dict):
            return FITS if schema is not False else Verdict((nothing_fits(path),))
        base = self._references.base(schema)
        scope = scope if scope[-1] == base else (*scope, base)
        asked = (id(schema), path, scope, name)
        if asked not in self._known:
            parts = [self._asserted(schema, value, path), *self._same_value(schema, value, path, scope)]
            if isinstance(value, dict):
                parts += self._properties(schema, value, path, scope)
            elif isinstance(value, list):
                parts += self._items(schema, value, path, scope)
            self._known[asked] = self._rest(schema, value, path, scope, every(parts))
        return self._known[asked]

    def _asserted(self, schema: dict[str, Any], value: Any, path: Path) -> Verdict:
        if isinstance(value, Hidden):
            return Verdict((), frozenset({path})) if _LOOKS & schema.keys() else FITS
        breaches = self._assertions.shallow(schema, value, path)
        if path not in self._inside or not isinstance(value, (dict, list)):
            breaches += self._assertions.deep(schema, value, path)
            return Verdict(breaches) if breaches else FITS
        undecided = self._inside[path] if {"const", "enum"} & schema.keys() else set()
        if schema.get("uniqueItems") is True and isinstance(value, list):
            known = [item for n, item in enumerate(value) if (*path, n) not in self._inside]
            breaches += self._assertions.deep(_UNIQUE, known, path)
            undecided = undecided | self._inside[path]
        return Verdict(breaches, frozenset(undecided))

    def _same_value(self, schema: dict[str, Any], value: Any, path: Path, scope: tuple[str, ...]) -> Iterator[Verdict]:
        """What the schemas say that judge the same value."""
        for part in schema.get("allOf", ()):
            yield self.judge(part, value, path, scope)
        if "$ref" in schema:
            target = self._references.target(schema["$ref"], scope[-1])
            yield self._referred(schema["$ref"], target, value, path, scope)
        if "$dynamicRef" in schema:
            target = self._references.dynamic_target(schema["$dynamicRef"], scope[-1], scope)
            yield self._referred(schema["$dynamicRef"], target, value, path, scope)
        for keyword, most in (("anyOf", _UNLIMITED), ("oneOf", 1)):
            if keyword in schema:
                parts = [self.judge(part, value, path, scope) for part in schema[keyword]]
                yield count(parts, 1, most, breach(path, keyword, schema[keyword]))
        if "not" in schema:
            part = self.judge(schema["not"], value, path, scope)
            yield count([part], 0, 0, breach(path, "not", schema["not"]))._replace(seen=frozenset(), maybe=frozenset())
        if "if" in schema:
            yield self._condition(schema, value, path, scope)
        for name, part in schema.get("dependentSchemas", {}).items():
            if isinstance(value, dict) and name in value:
                yield self.judge(part, value, path, scope)

    def _referred(self, reference: str, target: Any, value: Any, path: Path, scope: tuple[str, ...]) -> Verdict:
        if target is not None:
            return self.judge(target, value, path, scope)
        if path in self._inside:
            return Verdict((), frozenset(self._inside[path]))
        fits = self._assertions.fits_elsewhere(reference, value)
        return FITS if fits else Verdict((breach(path, "$ref", reference),))

    def _condition(self, schema: dict[str, Any], value: Any, path: Path, scope: tuple[str, ...]) -> Verdict:
        test = self.judge(schema["if"], value, path, scope)
        then, other = (self.judge(schema.get(word, True), value, path, scope) for word in ("then", "else"))
        if test.breaches:
            return other
        if test.fits:
            return every([test, then])
        # What both would say is certain.
        breaches = tuple(each for each in then.breaches if each in other.breaches)
        undecided = frozenset() if then.fits and other.fits else test.undecided | then.undecided | other.undecided
        _, maybe = evaluated([test, then._replace(undecided=test.undecided), other._replace(undecided=test.undecided)])
        return Verdict(breaches, undecided, frozenset(), maybe)

    def _properties(
        self, schema: dict[str, Any], value: dict[str, Any], path: Path, scope: tuple[str, ...]
    ) -> Iterator[Verdict]:
        properties, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
        seen = set()
        for key, inner in value.items():
            parts = [properties[key]] if key in properties else []
            parts += [part for pattern, part in patterns.items() if self._assertions.matches(pattern, key)]
            if not parts and "additionalProperties" in schema:
                parts = [schema["additionalProperties"]]
                if parts[0] is False:
                    yield Verdict((breach(path, "additionalProperties", False),))
                    continue
            if parts:
                seen.add(key)
            for part in parts:
                yield self._below(self.judge(part, inner, (*path, key), scope))
            if "propertyNames" in schema:
                told = self.judge(schema["propertyNames"], key, (*path, key), scope, name=True).breaches
                yield Verdict(tuple(Breach(path, f"propertyNames: {rule}") for _, rule in told))
        yield Verdict(seen=frozenset(seen))

    def _items(self, schema: dict[str, Any], value: list[Any], path: Path, scope: tuple[str, ...]) -> Iterator[Verdict]:
        first = schema.get("prefixItems", [])
        for n, item in enumerate(value):
            if n < len(first) or "items" in schema:
                part = first[n] if n < len(first) else schema["items"]
                yield self._below(self.judge(part, item, (*path, n), scope))._replace(seen=frozenset({n}))
        if "contains" in schema:
            parts = [self.judge(schema["contains"], item, (*path, n), scope) for n, item in enumerate(value)]
            found = [part._replace(seen=frozenset({n}), maybe=frozenset()) for n, part in enumerate(parts)]
            least, most = schema.get("minContains", 1), schema.get("maxContains", _UNLIMITED)
            sure = sum(part.fits for part in parts)
            keyword = "maxContains" if sure > most else "minContains" if "minContains" in schema else "contains"
            yield count(found, least, most, breach(path, keyword, schema[keyword]))

    def _rest(
        self, schema: dict[str, Any], value: Any, path: Path, scope: tuple[str, ...], verdict: Verdict
    ) -> Verdict:
        """The verdict with what `unevaluatedProperties` or `unevaluatedItems` say of the keys that are left."""
        keyword = "unevaluatedProperties" if isinstance(value, dict) else "unevaluatedItems"
        if keyword not in schema or not isinstance(value, (dict, list)):
            return verdict
        parts = []
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in pairs:
            if key in verdict.seen:
                continue
            part = self.judge(schema[keyword], inner, (*path, key), scope)
            if key in verdict.maybe and not part.fits:
                parts.append(Verdict((), frozenset(self._inside[path])))
            elif part.breaches:
                parts.append(Verdict((breach(path, keyword, schema[keyword]),)))
            else:
                parts.append(self._below(part))
        keys = frozenset(value) if isinstance(value, dict) else frozenset(range(len(value)))
        return every([verdict, *parts, Verdict(seen=keys)])

    @staticmethod
    def _below(verdict: Verdict) -> Verdict:
        """A verdict on a part, whose keys are not those of the whole."""
        return verdict._replace(seen=frozenset(), maybe=frozenset()) if verdict.seen or verdict.maybe else verdict


def judge(schema: Any, data: Any) -> tuple[list[Breach], list[Path]]:
    """What certainly breaks the schema, and the unknown paths that it would have to see."""
    return Judge(schema)(data)


def _unknowns(value: Any, path: Path) -> Iterator[Path]:
    if isinstance(value, Hidden):
        yield path
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _unknowns(inner, (*path, key))
    elif isinstance(value, list):
        for n, inner in enumerate(value):
            yield from _unknowns(inner, (*path, n))
