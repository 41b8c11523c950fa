"""Injection: which secrets are put into the environment, and over which plain variables they win."""

from functools import lru_cache
from typing import NamedTuple

from envtree.compile.resolve.compute import as_environment_text
from envtree.compile.resolve.evaluation import Evaluation
from envtree.compile.resolve.sticky import check_override
from envtree.model.diagnostic import Related
from envtree.model.keypath import KeyPath, format_path, parse_path
from envtree.model.layers import Layer
from envtree.model.merged import Leaf, Merged, MergedStack, span_of
from envtree.model.nodes import Cipher
from envtree.model.resolved import HOLE, Injection
from envtree.model.span import Span


class _Contest(NamedTuple):
    """A name that is both a plain variable and an injected secret."""

    name: str
    plain: Leaf
    chosen: Leaf


def inject(merged: MergedStack, evaluation: Evaluation) -> dict[str, Injection]:
    """The injected secrets that win: those that no later layer overrides with a plain variable."""
    chosen, variables = merged.entries("secrets"), merged.entries("env_vars")
    if not chosen:
        return {}
    rank = {layer: n for n, layer in enumerate(merged.stack.layers)}
    injected: dict[str, Injection] = {}
    overridden = []
    for name, leaf in chosen.items():
        if type(leaf) is not Leaf:
            continue
        plain = variables.get(name)
        contest = _Contest(name, plain, leaf) if type(plain) is Leaf else None
        if contest and rank[contest.plain.layer] > rank[leaf.layer]:
            overridden.append(contest)
            continue
        if contest:
            _check_locks(contest, "env_vars", merged, rank, evaluation)
        injected[name] = _injection(name, leaf, evaluation)
        evaluation.texts[name] = injected[name].value
    for contest in overridden:
        if not _check_locks(contest, "secrets", merged, rank, evaluation):
            check_override(*contest, rank, evaluation)
    return injected


def _injection(name: str, leaf: Leaf, evaluation: Evaluation) -> Injection:
    path = _path(str(leaf.node.value))
    value = evaluation.secret(path, span_of(leaf), ("secrets", name))
    if value is None:
        return Injection("", format_path(path), HOLE, leaf)
    cipher = value.symbol.node.value
    if not isinstance(cipher, Cipher):
        hint = f"name one of its parts, or set the variable to ${{{{ secrets.{format_path(path)} | tojson }}}}"
        message = f"'{format_path(path)}' is a map or a list of secrets, expected one secret"
        evaluation.report("ET508", span_of(leaf), ("secrets", name), message, hint)
        return Injection("", format_path(path), HOLE, leaf)
    return Injection(cipher.file, cipher.path, as_environment_text(value), leaf)


@lru_cache(4096)
def _path(text: str) -> KeyPath:
    """The path that a layer writes, for all bundles that it is in."""
    return parse_path(text)


def _check_locks(
    contest: _Contest, loser: str, merged: MergedStack, rank: dict[Layer, int], evaluation: Evaluation
) -> bool:
    """Whether the section that loses the name had locked it in an earlier layer; reported if so."""
    won_at = _first_after(contest.chosen, rank[contest.plain.layer], rank)
    low, high = (contest.plain, won_at) if loser == "env_vars" else (contest.chosen, contest.plain)
    lock = _lock_before(low, high, rank) or _lock_before(merged.sections[loser], high, rank)
    if lock is None:
        return False
    message = f"'{contest.name}' is locked and cannot be overridden"
    hint = "remove the override, or move the change to the layer that locks"
    key = ("env_vars", contest.name)
    evaluation.report("ET402", span_of(high), key, message, hint, Related(lock, "locked here"))
    return True


def _first_after(chosen: Leaf, plain: int, rank: dict[Layer, int]) -> Leaf:
    """Where the secret came over the variable: what names it again in a later layer changes nothing."""
    while type(chosen.below) is Leaf and rank[chosen.below.layer] >= plain:
        chosen = chosen.below
    return chosen


def _lock_before(value: Merged | None, later: Leaf, rank: dict[Layer, int]) -> Span | None:
    while value is not None:
        if value.lock and rank[value.layer] < rank[later.layer]:
            return value.lock
        value = value.below
    return None
