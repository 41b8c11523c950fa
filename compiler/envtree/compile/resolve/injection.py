"""Injection: which secrets are put into the environment, and over which plain variables they win."""

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
    """A name that is both a plain variable and an injected secret."""

    name: str
    plain: MergedScalar
    chosen: MergedScalar


def inject(merged: MergedStack, evaluation: Evaluation) -> dict[str, InjectedSecret]:
    """The injected secrets that win: those that no later layer overrides with a plain variable."""
    chosen, variables = merged.section_entries("secrets"), merged.section_entries("env_vars")
    if not chosen:
        return {}
    rank = {layer: n for n, layer in enumerate(merged.stack.layers)}
    injected: dict[str, InjectedSecret] = {}
    overridden = []
    for name, leaf in chosen.items():
        if type(leaf) is not MergedScalar:
            continue
        plain = variables.get(name)
        contest = _NameConflict(name, plain, leaf) if type(plain) is MergedScalar else None
        if contest and rank[contest.plain.layer] > rank[leaf.layer]:
            overridden.append(contest)
            continue
        if contest:
            _report_broken_lock(contest, "env_vars", merged, rank, evaluation)
        injected[name] = _make_injection(name, leaf, evaluation)
        evaluation.texts[name] = injected[name].value
    for contest in overridden:
        if not _report_broken_lock(contest, "secrets", merged, rank, evaluation):
            check_secret_override(*contest, rank, evaluation)
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
    """The path that a layer writes, for all bundles that it is in."""
    return parse_path(text)


def _report_broken_lock(
    conflict: _NameConflict, losing_section: str, merged: MergedStack, rank: dict[Layer, int], evaluation: Evaluation
) -> bool:
    """Whether the section that loses the name had locked it in an earlier layer; reported if so."""
    won_at = _first_overriding(conflict.chosen, rank[conflict.plain.layer], rank)
    low, high = (conflict.plain, won_at) if losing_section == "env_vars" else (conflict.chosen, conflict.plain)
    lock = _lock_before(low, high, rank) or _lock_before(merged.sections[losing_section], high, rank)
    if lock is None:
        return False
    message = f"'{conflict.name}' is locked and cannot be overridden"
    hint = "remove the override, or move the change to the layer that locks"
    key = ("env_vars", conflict.name)
    evaluation.report("ET402", merged_span(high), key, message, hint, RelatedSpan(lock, "locked here"))
    return True


def _first_overriding(chosen: MergedScalar, plain_rank: int, rank: dict[Layer, int]) -> MergedScalar:
    """Where the secret came over the variable: what names it again in a later layer changes nothing."""
    while type(chosen.base) is MergedScalar and rank[chosen.base.layer] >= plain_rank:
        chosen = chosen.base
    return chosen


def _lock_before(value: MergedValue | None, later: MergedScalar, rank: dict[Layer, int]) -> Span | None:
    while value is not None:
        if value.lock and rank[value.layer] < rank[later.layer]:
            return value.lock
        value = value.base
    return None
