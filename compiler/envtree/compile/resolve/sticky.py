"""Secretness is sticky: a plain value over a secret one is an error, unless `$replace` says that it is meant."""

from collections.abc import Mapping

from envtree.compile.resolve.evaluation import Evaluation
from envtree.model.diagnostic import Related
from envtree.model.expression import NamePath
from envtree.model.keypath import format_path
from envtree.model.layers import Layer
from envtree.model.merged import Branch, Leaf, Listing, Merged, span_of

_ON_PURPOSE = "write {$replace: …} to make it plain on purpose"


def check_sticky(node: Merged, key: NamePath, evaluation: Evaluation) -> None:
    """Report each plain value, at a key or below it, that stands over one which was computed from a secret."""
    if not node.guarded:
        return
    if type(node) is Branch:
        for name, child in node.entries.items():
            check_sticky(child, (*key, name), evaluation)
    elif type(node) is Listing:
        for n, item in enumerate(node.items):
            check_sticky(item, (*key, n), evaluation)
    while node.below is not None and node.rule != "$replace":
        if node.rule == "replace" and evaluation.taint(node.below) and evaluation.taint(node) is False:
            name = format_path(tuple(map(str, key)))
            message = f"'{name}' is computed from a secret below, and a plain value here would replace it"
            related = Related(span_of(node.below), "the secret value")
            evaluation.report("ET406", span_of(node), key, message, _ON_PURPOSE, related)
            return
        node = node.below


def check_override(name: str, plain: Leaf, chosen: Leaf, rank: Mapping[Layer, int], evaluation: Evaluation) -> None:
    """Report a plain variable that stands over the secret which would be injected under its name."""
    over = _first_over(plain, chosen, rank)
    if over is None or evaluation.taint(over) is not False:
        check_sticky(plain, ("env_vars", name), evaluation)
        return
    message = f"'{name}' is a secret below, and a plain value here would replace it"
    hint = f"{_ON_PURPOSE}, or take the name out of 'secrets'"
    related = Related(span_of(chosen), "injected here")
    evaluation.report("ET406", span_of(over), ("env_vars", name), message, hint, related)


def _first_over(plain: Leaf, chosen: Leaf, rank: Mapping[Layer, int]) -> Merged | None:
    """The lowest value of a variable that is later than its secret; None where a `$replace` stands on the way."""
    node: Merged = plain
    while node.rule != "$replace":
        if node.below is None or rank[node.below.layer] <= rank[chosen.layer]:
            return node
        node = node.below
    return None
