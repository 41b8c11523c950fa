"""Put values in the place of what stands for them in a bundle."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from envtree.compile.filters import to_text
from envtree.compile.resolve.compute_expression import EvaluationError, compute
from envtree.compile.resolve.expression_compiler import ExpressionCompiler
from envtree.compile.resolve.expression_grammar import ExpressionError
from envtree.model.diagnostic import RefusedError
from envtree.model.expression import Expression
from envtree.model.keypath import KeyPath, format_path
from envtree.model.resolved import SECTIONS, Bundle, HiddenValue
from envtree.model.secret_entries import unpack_entry
from envtree.secrets.unseal.bundle_loader import CompiledBundle

_SECRET, _TEMPLATE, _SEALED = "$secret", "$template", "$sealed"
_VARIABLES = "env_vars"
_RECURSION_LIMIT = 10_000


class PlainSecrets(NamedTuple):
    """What is known in clear: secrets by `<file>#<path>`, and the entries of the bundle's sealed file."""

    secrets: Mapping[str, Any]
    sealed_entries: Mapping[str, Any]


class SensitiveValue(NamedTuple):
    """Where a sensitive value belongs, and what stands there: a form and its text, or with no form the value itself."""

    path: KeyPath
    form: str
    content: Any


class PlaceholderResolver:
    """Resolves the values of bundles; each template is compiled once."""

    def __init__(self) -> None:
        self._compiler = ExpressionCompiler(is_generated=True)

    def find_references(self, bundle: CompiledBundle) -> set[str]:
        """The secrets that a bundle refers to, as `<file>#<path>`."""
        found: set[str] = set()
        for place in find_sensitive_values(bundle):
            if place.form == _SECRET:
                found.add(place.content)
            elif place.form == _TEMPLATE:
                found.update(self._secrets_read(place))
        return found

    def resolve(self, bundle: CompiledBundle, plain: PlainSecrets) -> Bundle:
        """The bundle with its sensitive values known."""
        hidden = {
            place.path: HiddenValue(self._resolve_value(place, plain), secret=True, symbol=None)
            for place in find_sensitive_values(bundle)
        }
        data = {key: _replace_values(value, (key,), hidden) for key, value in bundle.data.items() if key != "digest"}
        return Bundle(bundle.target, data, frozenset(bundle.data["sensitive"]), frozenset(data))

    def _resolve_value(self, place: SensitiveValue, plain: PlainSecrets) -> Any:
        try:
            value = self._compute_value(place, plain)
        except KeyError as missing:
            raise _unresolvable_error(place, f"it needs '{missing.args[0]}', which is not there") from None
        except (EvaluationError, ValueError):
            raise _unresolvable_error(
                place, "its secrets do not have the values or types that it was made for"
            ) from None
        return to_text(value) if place.path[0] == _VARIABLES else value

    def _compute_value(self, place: SensitiveValue, plain: PlainSecrets) -> Any:
        if place.form == _TEMPLATE:
            operands = [plain.secrets[read] for read in self._secrets_read(place)]
            return compute(self._compile_template(place), operands, propagate_null=False)
        if place.form == _SEALED:
            return unpack_entry(plain.sealed_entries[place.content])
        return plain.secrets[place.content] if place.form == _SECRET else place.content

    def _secrets_read(self, place: SensitiveValue) -> list[str]:
        """What a template reads, which is nothing but secrets by the places where they are kept."""
        paths = [read.path for read in self._compile_template(place).references]
        if not all(path[0] == "secrets" and len(path) == 2 for path in paths):
            raise _unresolvable_error(place, "it reads something else than secrets")
        return [str(path[1]) for path in paths]

    def _compile_template(self, place: SensitiveValue) -> Expression:
        try:
            with _raised_recursion_limit():
                return self._compiler.compile(place.content)
        except ExpressionError as wrong:
            raise _unresolvable_error(place, wrong.message) from None


@contextmanager
def _raised_recursion_limit() -> Iterator[None]:
    """Room for what is nested more deeply than anybody writes: Jinja2 takes a dozen calls for each level."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, _RECURSION_LIMIT))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


def find_sensitive_values(bundle: CompiledBundle) -> Iterator[SensitiveValue]:
    """The sensitive places of a bundle: what looks like a reference elsewhere is a value of its own."""
    sensitive = frozenset(bundle.data["sensitive"])
    for section in (_VARIABLES, *SECTIONS) if sensitive else ():
        yield from _walk_sensitive_values(bundle.data[section], (section,), sensitive)


def _walk_sensitive_values(value: Any, path: KeyPath, sensitive: frozenset[str]) -> Iterator[SensitiveValue]:
    if _sensitive_name(path) in sensitive:
        form = next(iter(value)) if isinstance(value, dict) and len(value) == 1 else ""
        known = form in (_SECRET, _TEMPLATE, _SEALED)
        yield SensitiveValue(path, form if known else "", value[form] if known else value)
        return
    for key, child in _children(value):
        yield from _walk_sensitive_values(child, (*path, key), sensitive)


def _replace_values(value: Any, path: KeyPath, values: Mapping[KeyPath, HiddenValue]) -> Any:
    if path in values:
        return values[path]
    if isinstance(value, dict):
        return {key: _replace_values(child, (*path, key), values) for key, child in value.items()}
    if isinstance(value, list):
        return [_replace_values(child, (*path, str(n)), values) for n, child in enumerate(value)]
    return value


def _children(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        yield from value.items()
    elif isinstance(value, list):
        yield from ((str(n), child) for n, child in enumerate(value))


def _sensitive_name(path: KeyPath) -> str:
    """What `sensitive` calls a place."""
    return path[1] if path[0] == _VARIABLES and len(path) == 2 else format_path(path)


def _unresolvable_error(place: SensitiveValue, reason: str) -> RefusedError:
    message = f"'{format_path(place.path)}' of the bundle cannot be resolved: {reason}"
    return RefusedError("ET631", message, "compile the bundle again, from the tree as it is now")
