"""Turn the sections of a layer into changes: values to merge, and directives that say how."""

from operator import attrgetter
from typing import Literal, NamedTuple

from envtree.model.expression import has_expression
from envtree.model.layers import Layer
from envtree.model.merged import MergedMapping, MergedScalar, MergedSequence, MergedValue
from envtree.model.nodes import MappingNode, Node, ScalarNode, SequenceNode
from envtree.model.span import Span


class Directive(NamedTuple):
    """A directive; `value` is the operand of `$value` or `$replace`, the tuples are the list operands."""

    action: Literal["$value", "$replace", "$delete", "$list"]
    value: "LayerChange | None"
    append: tuple[MergedValue, ...]
    prepend: tuple[MergedValue, ...]
    remove: tuple[MergedValue, ...]
    lock: Span | None
    expect: str
    node: MappingNode
    layer: Layer


class MapChange(NamedTuple):
    """A map with a directive somewhere inside: its value depends on the value below."""

    entries: "dict[str, LayerChange]"
    node: MappingNode
    layer: Layer


LayerChange = MergedValue | Directive | MapChange

_DYNAMIC = attrgetter("is_dynamic")
# A named tuple's own constructor takes twice as long, and these are made by the hundred thousand.
_new = tuple.__new__


def is_expression(value: MergedValue) -> bool:
    """Report whether a scalar contains an expression, and so has no type of its own."""
    return type(value) is MergedScalar and value.is_dynamic and has_expression(str(value.node.value))


def is_directive(node: MappingNode) -> bool:
    """Report whether a map is a directive, with `$` keys only; a literal `$x` is written `$$x`."""
    # A map that mixes both kinds of keys has been reported before, so its first key decides.
    first = next(iter(node.entries), "")
    return first.startswith("$") and not first.startswith("$$")


def to_change(node: Node, layer: Layer) -> LayerChange:
    """Return the change that a node of a layer makes, with directives interpreted."""
    if type(node) is ScalarNode:
        return to_leaf(node, layer)
    if type(node) is SequenceNode:
        return to_listing(node, layer)
    assert isinstance(node, MappingNode)
    return _map_to_change(node, layer)


def to_leaf(node: ScalarNode, layer: Layer) -> MergedScalar:
    """Return a scalar as a value with no value below."""
    value = node.value
    return _new(MergedScalar, (node, layer, None, "set", None, type(value) is str and "${{" in value, False))


def to_listing(node: SequenceNode, layer: Layer) -> MergedSequence:
    """Return a list as a value; its elements cannot contain directives."""
    items = tuple([to_value(item, layer) for item in node.items])
    return _new(MergedSequence, (items, node, layer, None, "set", None, any(map(_DYNAMIC, items)), False))


def to_value(node: Node, layer: Layer) -> MergedValue:
    """Return a node as a value, without looking for directives."""
    if type(node) is ScalarNode:
        return to_leaf(node, layer)
    if type(node) is SequenceNode:
        return to_listing(node, layer)
    assert isinstance(node, MappingNode)
    return to_branch({_unescape_key(key): to_value(child, layer) for key, child in node.entries.items()}, node, layer)


def to_branch(entries: dict[str, MergedValue], node: Node, layer: Layer) -> MergedMapping:
    """Return a map as a value with no value below."""
    dynamic = any(map(_DYNAMIC, entries.values()))
    return _new(MergedMapping, (entries, node, layer, None, "set", None, dynamic, False, False))


def _map_to_change(node: MappingNode, layer: Layer) -> MergedMapping | MapChange | Directive:
    # Most changes are scalars in maps, so `to_leaf` and `to_branch` are inlined here.
    entries: dict[str, LayerChange] = {}
    has_directive = is_dynamic = False
    for name, child in node.entries.items():
        key = name
        if name[:1] == "$":
            if not entries and is_directive(node):
                return _to_directive(node, layer)
            key = _unescape_key(name)
        change: LayerChange
        if type(child) is ScalarNode:
            value = child.value
            dynamic = type(value) is str and "${{" in value
            change = _new(MergedScalar, (child, layer, None, "set", None, dynamic, False))
        else:
            change = _map_to_change(child, layer) if type(child) is MappingNode else to_change(child, layer)
            if isinstance(change, (Directive, MapChange)):
                has_directive, dynamic = True, False
            else:
                dynamic = change.is_dynamic
        entries[key] = change
        is_dynamic = is_dynamic or dynamic
    if has_directive:
        return MapChange(entries, node, layer)
    return _new(MergedMapping, (entries, node, layer, None, "set", None, is_dynamic, False, False))


def _to_directive(node: MappingNode, layer: Layer) -> Directive:
    parts = node.entries
    operand = parts.get("$value", parts.get("$replace"))
    action: Literal["$value", "$replace", "$delete", "$list"] = (
        "$delete" if "$delete" in parts else "$replace" if "$replace" in parts else "$value" if operand else "$list"
    )
    return Directive(
        action,
        to_change(operand, layer) if operand else None,
        _list_operand(parts.get("$append"), layer),
        _list_operand(parts.get("$prepend"), layer),
        _list_operand(parts.get("$remove"), layer),
        Span(layer.path, *node.key_marks["$lock"]) if "$lock" in parts else None,
        _expected_state(parts.get("$expect")),
        node,
        layer,
    )


def _list_operand(node: Node | None, layer: Layer) -> tuple[MergedValue, ...]:
    return tuple(to_value(item, layer) for item in node.items) if isinstance(node, SequenceNode) else ()


def _expected_state(node: Node | None) -> str:
    """Return `exists`, `new` or an empty string; in a SOPS file only the length of the word is known."""
    if not isinstance(node, ScalarNode):
        return ""
    if isinstance(node.value, str):
        return node.value
    return {6: "exists", 3: "new"}.get(getattr(node.value, "length", 0), "")


def _unescape_key(key: str) -> str:
    return key[1:] if key.startswith("$$") else key


def secrets_to_change(node: Node, layer: Layer) -> LayerChange:
    """Return the change of a `secrets` section, in the map form."""
    if isinstance(node, SequenceNode):
        return _list_to_branch(node, layer)
    if isinstance(node, MappingNode) and is_directive(node):
        return _directive_to_change(node, layer)
    return to_change(node, layer)


def _list_to_branch(node: SequenceNode, layer: Layer) -> MergedMapping:
    items = [item for item in node.items if isinstance(item, ScalarNode)]
    names: dict[str, MergedValue] = {str(item.value): to_leaf(item, layer) for item in items}
    return MergedMapping(names, node, layer, None, "set", None, False, False, False)


def _directive_to_change(node: MappingNode, layer: Layer) -> LayerChange:
    """Translate list directives to a map: `$append` and `$prepend` add names, `$remove` deletes them."""
    directive = to_change(node, layer)
    assert isinstance(directive, Directive)
    operand = node.entries.get("$value", node.entries.get("$replace"))
    if operand is not None:
        return directive._replace(value=secrets_to_change(operand, layer))
    if directive.action == "$delete":
        return directive
    changes: dict[str, LayerChange] = {}
    unwanted = node.entries.get("$remove")
    for item in unwanted.items if isinstance(unwanted, SequenceNode) else ():
        changes[str(item.value)] = Directive(
            "$delete", None, (), (), (), None, "", MappingNode({}, {}, {}, item.mark), layer
        )
    for action in ("$prepend", "$append"):
        added = node.entries.get(action)
        if isinstance(added, SequenceNode):
            changes |= _list_to_branch(added, layer).entries
    return directive._replace(action="$value", value=MapChange(changes, node, layer))
