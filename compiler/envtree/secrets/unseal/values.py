"""Put values in the place of what stands for them in a bundle."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from envtree.compile.filters import to_text
from envtree.compile.resolve.compute import Fault, compute
from envtree.compile.resolve.expression import Compiler
from envtree.compile.resolve.grammar import WrongExpression
from envtree.model.diagnostic import Refusal
from envtree.model.expression import Expression
from envtree.model.keypath import KeyPath, format_path
from envtree.model.resolved import SECTIONS, Bundle, Hidden
from envtree.model.secret_placeholders import unpacked
from envtree.secrets.unseal.stored import Stored

_SECRET, _TEMPLATE, _SEALED = "$secret", "$template", "$sealed"
_VARIABLES = "env_vars"
_CALLS = 10_000


class Plain(NamedTuple):
    """What is known in clear: secrets by `<file>#<path>`, and the entries of the bundle's sealed file."""

    kept: Mapping[str, Any]
    entries: Mapping[str, Any]


class Place(NamedTuple):
    """Where a sensitive value belongs, and what stands there: a form and its text, or with no form the value itself."""

    path: KeyPath
    form: str
    content: Any


class Resolver:
    """Resolves the values of bundles; each template is compiled once."""

    def __init__(self) -> None:
        self._compiler = Compiler(spelt=True)

    def references(self, bundle: Stored) -> set[str]:
        """The secrets that a bundle refers to, as `<file>#<path>`."""
        found: set[str] = set()
        for place in places(bundle):
            if place.form == _SECRET:
                found.add(place.content)
            elif place.form == _TEMPLATE:
                found.update(self._reads(place))
        return found

    def resolve(self, bundle: Stored, plain: Plain) -> Bundle:
        """The bundle with its sensitive values known."""
        hidden = {place.path: Hidden(self._value(place, plain), secret=True, symbol=None) for place in places(bundle)}
        data = {key: _filled(value, (key,), hidden) for key, value in bundle.data.items() if key != "digest"}
        return Bundle(bundle.target, data, frozenset(bundle.data["sensitive"]), frozenset(data))

    def _value(self, place: Place, plain: Plain) -> Any:
        try:
            value = self._computed(place, plain)
        except KeyError as missing:
            raise _wrong(place, f"it needs '{missing.args[0]}', which is not there") from None
        except (Fault, ValueError):
            raise _wrong(place, "its secrets do not have the values or types that it was made for") from None
        return to_text(value) if place.path[0] == _VARIABLES else value

    def _computed(self, place: Place, plain: Plain) -> Any:
        if place.form == _TEMPLATE:
            operands = [plain.kept[read] for read in self._reads(place)]
            return compute(self._compiled(place), operands, null_spreads=False)
        if place.form == _SEALED:
            return unpacked(plain.entries[place.content])
        return plain.kept[place.content] if place.form == _SECRET else place.content

    def _reads(self, place: Place) -> list[str]:
        """What a template reads, which is nothing but secrets by the places where they are kept."""
        paths = [read.path for read in self._compiled(place).reads]
        if not all(path[0] == "secrets" and len(path) == 2 for path in paths):
            raise _wrong(place, "it reads something else than secrets")
        return [str(path[1]) for path in paths]

    def _compiled(self, place: Place) -> Expression:
        try:
            with _room():
                return self._compiler.compile(place.content)
        except WrongExpression as wrong:
            raise _wrong(place, wrong.message) from None


@contextmanager
def _room() -> Iterator[None]:
    """Room for what is nested more deeply than anybody writes: Jinja2 takes a dozen calls for each level."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, _CALLS))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


def places(bundle: Stored) -> Iterator[Place]:
    """The sensitive places of a bundle: what looks like a reference elsewhere is a value of its own."""
    sensitive = frozenset(bundle.data["sensitive"])
    for section in (_VARIABLES, *SECTIONS) if sensitive else ():
        yield from _places(bundle.data[section], (section,), sensitive)


def _places(value: Any, path: KeyPath, sensitive: frozenset[str]) -> Iterator[Place]:
    if _name(path) in sensitive:
        form = next(iter(value)) if isinstance(value, dict) and len(value) == 1 else ""
        known = form in (_SECRET, _TEMPLATE, _SEALED)
        yield Place(path, form if known else "", value[form] if known else value)
        return
    for key, child in _parts(value):
        yield from _places(child, (*path, key), sensitive)


def _filled(value: Any, path: KeyPath, values: Mapping[KeyPath, Hidden]) -> Any:
    if path in values:
        return values[path]
    if isinstance(value, dict):
        return {key: _filled(child, (*path, key), values) for key, child in value.items()}
    if isinstance(value, list):
        return [_filled(child, (*path, str(n)), values) for n, child in enumerate(value)]
    return value


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        yield from value.items()
    elif isinstance(value, list):
        yield from ((str(n), child) for n, child in enumerate(value))


def _name(path: KeyPath) -> str:
    """What `sensitive` calls a place."""
    return path[1] if path[0] == _VARIABLES and len(path) == 2 else format_path(path)


def _wrong(place: Place, why: str) -> Refusal:
    message = f"'{format_path(place.path)}' of the bundle cannot be resolved: {why}"
    return Refusal("ET631", message, "compile the bundle again, from the tree as it is now")
