"""Turn what a layer wrote into changes: values to merge, and directives that say how."""

from operator import attrgetter
from typing import Literal, NamedTuple

from envtree.model.expression import has_expression
from envtree.model.layers import Layer
from envtree.model.merged import MergedMapping, MergedScalar, MergedSequence, MergedValue
from envtree.model.nodes import MappingNode, Node, ScalarNode, SequenceNode
from envtree.model.span import Span


class Directive(NamedTuple):
    """A directive; `value` is what `$value` or `$replace` holds, the tuples are the list operands."""

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
    """A map with a directive somewhere inside: it has no value until it meets what is below."""

    entries: "dict[str, LayerChange]"
    node: MappingNode
    layer: Layer


LayerChange = MergedValue | Directive | MapChange

_DYNAMIC = attrgetter("is_dynamic")
# A named tuple's own constructor costs as much again, and these are made by the hundred thousand.
_new = tuple.__new__


def is_expression(value: MergedValue) -> bool:
    """Whether a scalar holds an expression, and so has no type of its own."""
    return type(value) is MergedScalar and value.is_dynamic and has_expression(str(value.node.value))


def is_directive(node: MappingNode) -> bool:
    """Whether a map is a directive: `$` keys alone; a literal `$x` is written `$$x`."""
    # A map that mixes both kinds of keys is reported before it comes here: its first key tells.
    first = next(iter(node.entries), "")
    return first.startswith("$") and not first.startswith("$$")


def to_change(node: Node, layer: Layer) -> LayerChange:
    """What a layer says at one place, directives understood."""
    if type(node) is ScalarNode:
        return to_leaf(node, layer)
    if type(node) is SequenceNode:
        return to_listing(node, layer)
    assert isinstance(node, MappingNode)
    return _map_to_change(node, layer)


def to_leaf(node: ScalarNode, layer: Layer) -> MergedScalar:
    """A scalar as a value without anything below."""
    value = node.value
    return _new(MergedScalar, (node, layer, None, "set", None, type(value) is str and "${{" in value, False))


def to_listing(node: SequenceNode, layer: Layer) -> MergedSequence:
    """A list as a value; directives are not known inside its elements."""
    items = tuple([to_value(item, layer) for item in node.items])
    return _new(MergedSequence, (items, node, layer, None, "set", None, any(map(_DYNAMIC, items)), False))


def to_value(node: Node, layer: Layer) -> MergedValue:
    """A value in which no directive is looked for."""
    if type(node) is ScalarNode:
        return to_leaf(node, layer)
    if type(node) is SequenceNode:
        return to_listing(node, layer)
    assert isinstance(node, MappingNode)
    return to_branch({_unescape_key(key): to_value(child, layer) for key, child in node.entries.items()}, node, layer)


def to_branch(entries: dict[str, MergedValue], node: Node, layer: Layer) -> MergedMapping:
    """A map without anything below."""
    dynamic = any(map(_DYNAMIC, entries.values()))
    return _new(MergedMapping, (entries, node, layer, None, "set", None, dynamic, False, False))


def _map_to_change(node: MappingNode, layer: Layer) -> MergedMapping | MapChange | Directive:
    # Most of what is lifted is a scalar in a map, so `lift_scalar` and `branch` are spelt out here.
    entries: dict[str, LayerChange] = {}
    is_open = is_dynamic = False
    for name, child in node.entries.items():
        key = name
        if name[:1] == "$":
            if not entries and is_directive(node):
                return _to_directive(node, layer)
            key = _unescape_key(name)
        lifted: LayerChange
        if type(child) is ScalarNode:
            value = child.value
            dynamic = type(value) is str and "${{" in value
            lifted = _new(MergedScalar, (child, layer, None, "set", None, dynamic, False))
        else:
            lifted = _map_to_change(child, layer) if type(child) is MappingNode else to_change(child, layer)
            if isinstance(lifted, (Directive, MapChange)):
                is_open, dynamic = True, False
            else:
                dynamic = lifted.is_dynamic
        entries[key] = lifted
        is_dynamic = is_dynamic or dynamic
    if is_open:
        return MapChange(entries, node, layer)
    return _new(MergedMapping, (entries, node, layer, None, "set", None, is_dynamic, False, False))


def _to_directive(node: MappingNode, layer: Layer) -> Directive:
    parts = node.entries
    inner = parts.get("$value", parts.get("$replace"))
    action: Literal["$value", "$replace", "$delete", "$list"] = (
        "$delete" if "$delete" in parts else "$replace" if "$replace" in parts else "$value" if inner else "$list"
    )
    return Directive(
        action,
        to_change(inner, layer) if inner else None,
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
    """`exists`, `new` or nothing; inside a SOPS file only the length of the word is known."""
    if not isinstance(node, ScalarNode):
        return ""
    if isinstance(node.value, str):
        return node.value
    return {6: "exists", 3: "new"}.get(getattr(node.value, "length", 0), "")


def _unescape_key(key: str) -> str:
    return key[1:] if key.startswith("$$") else key


def secrets_to_change(node: Node, layer: Layer) -> LayerChange:
    """What a layer says of `secrets`, in the map form."""
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
    """List directives over a map: `$append` adds names, `$remove` deletes them."""
    patch = to_change(node, layer)
    assert isinstance(patch, Directive)
    inner = node.entries.get("$value", node.entries.get("$replace"))
    if inner is not None:
        return patch._replace(value=secrets_to_change(inner, layer))
    if patch.action == "$delete":
        return patch
    changes: dict[str, LayerChange] = {}
    unwanted = node.entries.get("$remove")
    for item in unwanted.items if isinstance(unwanted, SequenceNode) else ():
        changes[str(item.value)] = Directive(
            "$delete", None, (), (), (), None, "", MappingNode({}, {}, {}, item.mark), layer
        )
    for operand in ("$prepend", "$append"):
        added = node.entries.get(operand)
        if isinstance(added, SequenceNode):
            changes |= _list_to_branch(added, layer).entries
    return patch._replace(action="$value", value=MapChange(changes, node, layer))
