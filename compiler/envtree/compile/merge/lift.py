"""Turn what a layer wrote into changes: values to merge, and directives that say how."""

from operator import attrgetter
from typing import Literal, NamedTuple

from envtree.model.expression import holds_expression
from envtree.model.layers import Layer
from envtree.model.merged import Branch, Leaf, Listing, Merged
from envtree.model.nodes import Mapping, Node, Scalar, Sequence
from envtree.model.span import Span


class Patch(NamedTuple):
    """A directive; `value` is what `$value` or `$replace` holds, the tuples are the list operands."""

    action: Literal["$value", "$replace", "$delete", "$list"]
    value: "Change | None"
    append: tuple[Merged, ...]
    prepend: tuple[Merged, ...]
    remove: tuple[Merged, ...]
    lock: Span | None
    expect: str
    node: Mapping
    layer: Layer


class Edit(NamedTuple):
    """A map with a directive somewhere inside: it has no value until it meets what is below."""

    entries: "dict[str, Change]"
    node: Mapping
    layer: Layer


Change = Merged | Patch | Edit

_DYNAMIC = attrgetter("dynamic")
# A named tuple's own constructor costs as much again, and these are made by the hundred thousand.
_new = tuple.__new__


def is_expression(value: Merged) -> bool:
    """Whether a scalar holds an expression, and so has no type of its own."""
    return type(value) is Leaf and value.dynamic and holds_expression(str(value.node.value))


def is_directive(node: Mapping) -> bool:
    """Whether a map is a directive: `$` keys alone; a literal `$x` is written `$$x`."""
    # A map that mixes both kinds of keys is reported before it comes here: its first key tells.
    first = next(iter(node.entries), "")
    return first.startswith("$") and not first.startswith("$$")


def lift(node: Node, layer: Layer) -> Change:
    """What a layer says at one place, directives understood."""
    if type(node) is Scalar:
        return lift_scalar(node, layer)
    if type(node) is Sequence:
        return lift_list(node, layer)
    assert isinstance(node, Mapping)
    return _lift_map(node, layer)


def lift_scalar(node: Scalar, layer: Layer) -> Leaf:
    """A scalar as a value without anything below."""
    value = node.value
    return _new(Leaf, (node, layer, None, "set", None, type(value) is str and "${{" in value, False))


def lift_list(node: Sequence, layer: Layer) -> Listing:
    """A list as a value; directives are not known inside its elements."""
    items = tuple([lift_plain(item, layer) for item in node.items])
    return _new(Listing, (items, node, layer, None, "set", None, any(map(_DYNAMIC, items)), False))


def lift_plain(node: Node, layer: Layer) -> Merged:
    """A value in which no directive is looked for."""
    if type(node) is Scalar:
        return lift_scalar(node, layer)
    if type(node) is Sequence:
        return lift_list(node, layer)
    assert isinstance(node, Mapping)
    return branch({_literal(key): lift_plain(child, layer) for key, child in node.entries.items()}, node, layer)


def branch(entries: dict[str, Merged], node: Node, layer: Layer) -> Branch:
    """A map without anything below."""
    dynamic = any(map(_DYNAMIC, entries.values()))
    return _new(Branch, (entries, node, layer, None, "set", None, dynamic, False, False))


def _lift_map(node: Mapping, layer: Layer) -> Branch | Edit | Patch:
    # Most of what is lifted is a scalar in a map, so `lift_scalar` and `branch` are spelt out here.
    entries: dict[str, Change] = {}
    is_open = is_dynamic = False
    for name, child in node.entries.items():
        key = name
        if name[:1] == "$":
            if not entries and is_directive(node):
                return _lift_directive(node, layer)
            key = _literal(name)
        lifted: Change
        if type(child) is Scalar:
            value = child.value
            dynamic = type(value) is str and "${{" in value
            lifted = _new(Leaf, (child, layer, None, "set", None, dynamic, False))
        else:
            lifted = _lift_map(child, layer) if type(child) is Mapping else lift(child, layer)
            if isinstance(lifted, (Patch, Edit)):
                is_open, dynamic = True, False
            else:
                dynamic = lifted.dynamic
        entries[key] = lifted
        is_dynamic = is_dynamic or dynamic
    if is_open:
        return Edit(entries, node, layer)
    return _new(Branch, (entries, node, layer, None, "set", None, is_dynamic, False, False))


def _lift_directive(node: Mapping, layer: Layer) -> Patch:
    parts = node.entries
    inner = parts.get("$value", parts.get("$replace"))
    action: Literal["$value", "$replace", "$delete", "$list"] = (
        "$delete" if "$delete" in parts else "$replace" if "$replace" in parts else "$value" if inner else "$list"
    )
    return Patch(
        action,
        lift(inner, layer) if inner else None,
        _operand(parts.get("$append"), layer),
        _operand(parts.get("$prepend"), layer),
        _operand(parts.get("$remove"), layer),
        Span(layer.path, *node.keys["$lock"]) if "$lock" in parts else None,
        _expectation(parts.get("$expect")),
        node,
        layer,
    )


def _operand(node: Node | None, layer: Layer) -> tuple[Merged, ...]:
    return tuple(lift_plain(item, layer) for item in node.items) if isinstance(node, Sequence) else ()


def _expectation(node: Node | None) -> str:
    """`exists`, `new` or nothing; inside a SOPS file only the length of the word is known."""
    if not isinstance(node, Scalar):
        return ""
    if isinstance(node.value, str):
        return node.value
    return {6: "exists", 3: "new"}.get(getattr(node.value, "length", 0), "")


def _literal(key: str) -> str:
    return key[1:] if key.startswith("$$") else key
