"""Injection: put secrets into the environment, and decide between them and plain variables of the same name."""

from functools import lru_cache
from typing import NamedTuple

from envtree.compile.resolve.compute_expression import as_environment_text
from envtree.compile.resolve.declassification import check_secret_override
from envtree.compile.resolve.evaluation import Evaluation
from envtree.compile.resolve.locked_names import find_broken_locks
from envtree.model.diagnostic import RelatedSpan
from envtree.model.keypath import KeyPath, format_path, parse_path
from envtree.model.merged import MergedScalar, MergedStack, merged_span
from envtree.model.nodes import EncryptedValue
from envtree.model.resolved import ERROR_VALUE, InjectedSecret


class _NameConflict(NamedTuple):
    """A name that is set both as a plain variable and, in `secrets`, as an injected secret."""

    name: str
    plain: MergedScalar
    chosen: MergedScalar


def inject(merged: MergedStack, evaluation: Evaluation) -> dict[str, InjectedSecret]:
    """Return the injected secrets that take effect: those that no later layer overrides with a plain variable."""
    chosen, variables = merged.section_entries("secrets"), merged.section_entries("env_vars")
    locked = _report_broken_locks(merged, evaluation)
    if not chosen:
        return {}
    rank = {layer: index for index, layer in enumerate(merged.stack.layers)}
    injected: dict[str, InjectedSecret] = {}
    overridden = []
    for name, leaf in chosen.items():
        if type(leaf) is not MergedScalar:
            continue
        plain = variables.get(name)
        conflict = _NameConflict(name, plain, leaf) if type(plain) is MergedScalar else None
        if conflict and rank[conflict.plain.layer] > rank[leaf.layer]:
            overridden.append(conflict)
            continue
        injected[name] = _make_injection(name, leaf, evaluation)
        evaluation.texts[name] = injected[name].value
    for conflict in overridden:
        if conflict.name not in locked:
            check_secret_override(*conflict, rank, evaluation)
    return injected


def _make_injection(name: str, leaf: MergedScalar, evaluation: Evaluation) -> InjectedSecret:
    path = _parse_secret_path(str(leaf.node.value))
    value = evaluation.find_secret(path, merged_span(leaf), ("secrets", name))
    if value is None:
        return InjectedSecret("", format_path(path), ERROR_VALUE, leaf)
    cipher = value.symbol.node.value
    if not isinstance(cipher, EncryptedValue):
        hint = f"name one of its parts, or set the variable to ${{{{ secrets.{format_path(path)} | tojson }}}}"
        message = f"'{format_path(path)}' is a map or a list of secrets, expected one secret"
        evaluation.report("ET508", merged_span(leaf), ("secrets", name), message, hint)
        return InjectedSecret("", format_path(path), ERROR_VALUE, leaf)
    return InjectedSecret(cipher.file, cipher.path, as_environment_text(value), leaf)


@lru_cache(4096)
def _parse_secret_path(text: str) -> KeyPath:
    """Parse the path of a secret; cached, since many bundles share a layer."""
    return parse_path(text)


def _report_broken_locks(merged: MergedStack, evaluation: Evaluation) -> set[str]:
    """Report the overrides of locked variables by the other section, and return the names of the variables."""
    names = set()
    for name, override, lock in find_broken_locks(merged):
        message = f"'{name}' is locked and cannot be overridden"
        hint = "remove the override, or move the change to the layer that locks"
        key = ("env_vars", name)
        evaluation.report("ET402", merged_span(override), key, message, hint, RelatedSpan(lock, "locked here"))
        names.add(name)
    return names
