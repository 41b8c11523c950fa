"""The `secrets` section: the list `[A]` is short for `{A: A}`, so that both forms mix."""

from envtree.compile.merge.lift import Change, Edit, Patch, is_directive, lift, lift_scalar
from envtree.model.layers import Layer
from envtree.model.merged import Branch, Merged
from envtree.model.nodes import Mapping, Node, Scalar, Sequence


def lift_secrets_section(node: Node, layer: Layer) -> Change:
    """What a layer says of `secrets`, in the map form."""
    if isinstance(node, Sequence):
        return _from_list(node, layer)
    if isinstance(node, Mapping) and is_directive(node):
        return _lift_directive(node, layer)
    return lift(node, layer)


def _from_list(node: Sequence, layer: Layer) -> Branch:
    items = [item for item in node.items if isinstance(item, Scalar)]
    names: dict[str, Merged] = {str(item.value): lift_scalar(item, layer) for item in items}
    return Branch(names, node, layer, None, "set", None, False, False, False)


def _lift_directive(node: Mapping, layer: Layer) -> Change:
    """List directives over a map: `$append` adds names, `$remove` deletes them."""
    patch = lift(node, layer)
    assert isinstance(patch, Patch)
    inner = node.entries.get("$value", node.entries.get("$replace"))
    if inner is not None:
        return patch._replace(value=lift_secrets_section(inner, layer))
    if patch.action == "$delete":
        return patch
    changes: dict[str, Change] = {}
    unwanted = node.entries.get("$remove")
    for item in unwanted.items if isinstance(unwanted, Sequence) else ():
        changes[str(item.value)] = Patch("$delete", None, (), (), (), None, "", Mapping({}, {}, {}, item.at), layer)
    for operand in ("$prepend", "$append"):
        added = node.entries.get(operand)
        if isinstance(added, Sequence):
            changes |= _from_list(added, layer).entries
    return patch._replace(action="$value", value=Edit(changes, node, layer))
