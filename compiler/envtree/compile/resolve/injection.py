"""Injection: put secrets into the environment, and decide between them and plain variables of the same name."""

from functools import lru_cache
from typing import NamedTuple

from envtree.compile.resolve.compute_expression import as_environment_text
from envtree.compile.resolve.declassification import check_secret_override
from envtree.compile.resolve.evaluation import Evaluation
from envtree.model.diagnostic import RelatedSpan
from envtree.model.keypath import KeyPath, format_path, parse_path
from envtree.model.layers import Layer
from envtree.model.merged import MergedScalar, MergedStack, MergedValue, merged_span
from envtree.model.nodes import EncryptedValue
from envtree.model.resolved import ERROR_VALUE, InjectedSecret
from envtree.model.span import Span


class _NameConflict(NamedTuple):
    """A name that is set both as a plain variable and, in `secrets`, as an injected secret."""

    name: str
    plain: MergedScalar
    chosen: MergedScalar


def inject(merged: MergedStack, evaluation: Evaluation) -> dict[str, InjectedSecret]:
    """Return the injected secrets that take effect: those that no later layer overrides with a plain variable."""
    chosen, variables = merged.section_entries("secrets"), merged.section_entries("env_vars")
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
        if conflict:
            _report_broken_lock(conflict, "env_vars", merged, rank, evaluation)
        injected[name] = _make_injection(name, leaf, evaluation)
        evaluation.texts[name] = injected[name].value
    for conflict in overridden:
        if not _report_broken_lock(conflict, "secrets", merged, rank, evaluation):
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


def _report_broken_lock(
    conflict: _NameConflict, losing_section: str, merged: MergedStack, rank: dict[Layer, int], evaluation: Evaluation
) -> bool:
    """Report whether the section that loses the name had locked it in an earlier layer; add a finding if so."""
    override = _first_overriding(conflict.chosen, rank[conflict.plain.layer], rank)
    loser, winner = (conflict.plain, override) if losing_section == "env_vars" else (conflict.chosen, conflict.plain)
    lock = _lock_before(loser, winner, rank) or _lock_before(merged.sections[losing_section], winner, rank)
    if lock is None:
        return False
    message = f"'{conflict.name}' is locked and cannot be overridden"
    hint = "remove the override, or move the change to the layer that locks"
    key = ("env_vars", conflict.name)
    evaluation.report("ET402", merged_span(winner), key, message, hint, RelatedSpan(lock, "locked here"))
    return True


def _first_overriding(chosen: MergedScalar, plain_rank: int, rank: dict[Layer, int]) -> MergedScalar:
    """Return the value that first overrides the variable: naming the secret again in a later layer changes nothing."""
    while type(chosen.base) is MergedScalar and rank[chosen.base.layer] >= plain_rank:
        chosen = chosen.base
    return chosen


def _lock_before(value: MergedValue | None, later: MergedScalar, rank: dict[Layer, int]) -> Span | None:
    while value is not None:
        if value.lock and rank[value.layer] < rank[later.layer]:
            return value.lock
        value = value.base
    return None
