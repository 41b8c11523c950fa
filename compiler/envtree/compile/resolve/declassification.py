"""Report declassification: a plain value that overrides a secret one without `$replace`."""

from collections.abc import Mapping

from envtree.compile.resolve.evaluation import Evaluation
from envtree.model.diagnostic import RelatedSpan
from envtree.model.expression import NamePath
from envtree.model.keypath import format_path
from envtree.model.layers import Layer
from envtree.model.merged import MergedMapping, MergedScalar, MergedSequence, MergedValue, merged_span

_HINT_ELEMENT = "write {{$remove: […], $append: [{{…}}]}} as '{}' to replace the whole element on purpose"
_HINT_REPLACE = "write {$replace: …} to make it plain on purpose"


def check_declassification(node: MergedValue, key: NamePath, evaluation: Evaluation) -> None:
    """Report each plain value, at a key or below it, that overrides one computed from a secret."""
    if not node.shadows_expression:
        return
    if type(node) is MergedMapping:
        for name, child in node.entries.items():
            check_declassification(child, (*key, name), evaluation)
    elif type(node) is MergedSequence:
        for index, item in enumerate(node.items):
            check_declassification(item, (*key, index), evaluation)
    while node.base is not None and node.rule != "$replace":
        # Of a map that replaces a map, the keys of both are checked above; the other keys are gone on purpose.
        is_map_over_map = type(node) is MergedMapping and type(node.base) is MergedMapping
        is_override = node.rule == "replace" and not is_map_over_map
        if is_override and evaluation.reads_secret(node.base) and evaluation.reads_secret(node) is False:
            name = format_path(tuple(map(str, key)))
            message = f"'{name}' is computed from a secret below, and a plain value here would replace it"
            related = RelatedSpan(merged_span(node.base), "the secret value")
            evaluation.report("ET406", merged_span(node), key, message, _replacement_hint(key), related)
            return
        node = node.base


def _replacement_hint(key: NamePath) -> str:
    """Return how to make a value plain; no directive works inside a list element, so the element is replaced."""
    depth = next((depth for depth, part in enumerate(key) if isinstance(part, int)), None)
    return _HINT_REPLACE if depth is None else _HINT_ELEMENT.format(format_path(tuple(map(str, key[:depth]))))


def check_secret_override(
    name: str, plain: MergedScalar, chosen: MergedScalar, rank: Mapping[Layer, int], evaluation: Evaluation
) -> None:
    """Report a plain variable that overrides the secret which would be injected under its name.

    `chosen` is the value in `secrets` that selects the secret, `rank` the position of each layer in the stack.
    """
    override = _first_override(plain, chosen, rank)
    if override is None or evaluation.reads_secret(override) is not False:
        check_declassification(plain, ("env_vars", name), evaluation)
        return
    message = f"'{name}' is a secret below, and a plain value here would replace it"
    hint = f"{_HINT_REPLACE}, or take the name out of 'secrets'"
    related = RelatedSpan(merged_span(chosen), "injected here")
    evaluation.report("ET406", merged_span(override), ("env_vars", name), message, hint, related)


def _first_override(plain: MergedScalar, chosen: MergedScalar, rank: Mapping[Layer, int]) -> MergedValue | None:
    """Return the lowest value of a variable above its secret; None if there is a `$replace` on the way down."""
    node: MergedValue = plain
    while node.rule != "$replace":
        if node.base is None or rank[node.base.layer] <= rank[chosen.layer]:
            return node
        node = node.base
    return None
