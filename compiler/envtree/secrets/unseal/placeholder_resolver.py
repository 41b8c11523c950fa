"""Replace the placeholders of a bundle with the values that they refer to."""

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
    """Decrypted values: secrets by `<file>#<path>`, and the entries of the bundle's sealed file."""

    secrets: Mapping[str, Any]
    sealed_entries: Mapping[str, Any]


class SensitiveValue(NamedTuple):
    """The path of a sensitive value, and its content.

    With a `form` the content is the text of a placeholder, otherwise it is the value itself.
    """

    path: KeyPath
    form: str
    content: Any


class PlaceholderResolver:
    """A resolver of the sensitive values of bundles, which compiles each template once."""

    def __init__(self) -> None:
        self._compiler = ExpressionCompiler(is_generated=True)

    def find_references(self, bundle: CompiledBundle) -> set[str]:
        """Return the secrets that a bundle refers to, as `<file>#<path>`."""
        references: set[str] = set()
        for sensitive_value in find_sensitive_values(bundle):
            if sensitive_value.form == _SECRET:
                references.add(sensitive_value.content)
            elif sensitive_value.form == _TEMPLATE:
                references.update(self._secrets_read(sensitive_value))
        return references

    def resolve(self, bundle: CompiledBundle, plain: PlainSecrets) -> Bundle:
        """Return the bundle with its sensitive values, each as a HiddenValue."""
        hidden = {
            sensitive_value.path: HiddenValue(self._resolve_value(sensitive_value, plain), secret=True, symbol=None)
            for sensitive_value in find_sensitive_values(bundle)
        }
        data = {key: _replace_values(value, (key,), hidden) for key, value in bundle.data.items() if key != "digest"}
        return Bundle(bundle.target, data, frozenset(bundle.data["sensitive"]), frozenset(data))

    def _resolve_value(self, sensitive_value: SensitiveValue, plain: PlainSecrets) -> Any:
        try:
            value = self._compute_value(sensitive_value, plain)
        except KeyError as missing:
            raise _unresolvable_error(sensitive_value, f"it needs '{missing.args[0]}', which is not there") from None
        except (EvaluationError, ValueError):
            raise _unresolvable_error(
                sensitive_value, "its secrets do not have the values or types that it was made for"
            ) from None
        return to_text(value) if sensitive_value.path[0] == _VARIABLES else value

    def _compute_value(self, sensitive_value: SensitiveValue, plain: PlainSecrets) -> Any:
        if sensitive_value.form == _TEMPLATE:
            operands = [plain.secrets[name] for name in self._secrets_read(sensitive_value)]
            return compute(self._compile_template(sensitive_value), operands, propagate_null=False)
        if sensitive_value.form == _SEALED:
            return unpack_entry(plain.sealed_entries[sensitive_value.content])
        return plain.secrets[sensitive_value.content] if sensitive_value.form == _SECRET else sensitive_value.content

    def _secrets_read(self, sensitive_value: SensitiveValue) -> list[str]:
        """Return the secrets that a template reads, as `<file>#<path>`; RefusedError if it reads anything else."""
        paths = [reference.path for reference in self._compile_template(sensitive_value).references]
        if not all(path[0] == "secrets" and len(path) == 2 for path in paths):
            raise _unresolvable_error(sensitive_value, "it reads something else than secrets")
        return [str(path[1]) for path in paths]

    def _compile_template(self, sensitive_value: SensitiveValue) -> Expression:
        try:
            with _raised_recursion_limit():
                return self._compiler.compile(sensitive_value.content)
        except ExpressionError as error:
            raise _unresolvable_error(sensitive_value, error.message) from None


@contextmanager
def _raised_recursion_limit() -> Iterator[None]:
    """Allow deeply nested generated templates: Jinja2 makes a dozen calls for each level."""
    previous_limit = sys.getrecursionlimit()
    sys.setrecursionlimit(max(previous_limit, _RECURSION_LIMIT))
    try:
        yield
    finally:
        sys.setrecursionlimit(previous_limit)


def find_sensitive_values(bundle: CompiledBundle) -> Iterator[SensitiveValue]:
    """Yield the sensitive values of a bundle; outside them a map that looks like a placeholder is plain data."""
    sensitive = frozenset(bundle.data["sensitive"])
    for section in (_VARIABLES, *SECTIONS) if sensitive else ():
        yield from _walk_sensitive_values(bundle.data[section], (section,), sensitive)


def _walk_sensitive_values(value: Any, path: KeyPath, sensitive: frozenset[str]) -> Iterator[SensitiveValue]:
    if _sensitive_name(path) in sensitive:
        form = next(iter(value)) if isinstance(value, dict) and len(value) == 1 else ""
        is_placeholder = form in (_SECRET, _TEMPLATE, _SEALED)
        yield SensitiveValue(path, form if is_placeholder else "", value[form] if is_placeholder else value)
        return
    for key, child in _children(value):
        yield from _walk_sensitive_values(child, (*path, key), sensitive)


def _replace_values(value: Any, path: KeyPath, values: Mapping[KeyPath, HiddenValue]) -> Any:
    if path in values:
        return values[path]
    if isinstance(value, dict):
        return {key: _replace_values(child, (*path, key), values) for key, child in value.items()}
    if isinstance(value, list):
        return [_replace_values(child, (*path, str(index)), values) for index, child in enumerate(value)]
    return value


def _children(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        yield from value.items()
    elif isinstance(value, list):
        yield from ((str(index), child) for index, child in enumerate(value))


def _sensitive_name(path: KeyPath) -> str:
    """Return the name of a path in the list `sensitive` of a bundle."""
    return path[1] if path[0] == _VARIABLES and len(path) == 2 else format_path(path)


def _unresolvable_error(sensitive_value: SensitiveValue, reason: str) -> RefusedError:
    message = f"'{format_path(sensitive_value.path)}' of the bundle cannot be resolved: {reason}"
    return RefusedError("ET631", message, "compile the bundle again, from the tree as it is now")
