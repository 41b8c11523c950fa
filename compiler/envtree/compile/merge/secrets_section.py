"""The `secrets` section: the list `[A]` is short for `{A: A}`, so that both forms mix."""

from envtree.compile.merge.layer_changes import Directive, LayerChange, MapChange, is_directive, to_change, to_leaf
from envtree.model.layers import Layer
from envtree.model.merged import MergedMapping, MergedValue
from envtree.model.nodes import MappingNode, Node, ScalarNode, SequenceNode


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
