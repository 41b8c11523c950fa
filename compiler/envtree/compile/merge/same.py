"""JSON equality of merged values: numbers by value, never true and 1, text of environment variables by its text."""

from envtree.model.merged import Branch, Leaf, Listing, Merged
from envtree.model.nodes import Cipher


def same(one: Merged | None, other: Merged | None, *, text: bool = False) -> bool:
    """Whether two merged values are equal; ciphertexts never are, for nobody can see it."""
    if type(one) is Leaf and type(other) is Leaf:
        return one.node.text == other.node.text if text else _same_scalar(one, other)
    if type(one) is Listing and type(other) is Listing:
        return len(one.items) == len(other.items) and all(map(same, one.items, other.items))
    if type(one) is Branch and type(other) is Branch:
        return one.entries.keys() == other.entries.keys() and all(
            same(child, other.entries[key], text=text) for key, child in one.entries.items()
        )
    return False


def _same_scalar(one: Leaf, other: Leaf) -> bool:
    a, b = one.node.value, other.node.value
    if isinstance(a, Cipher) or isinstance(b, Cipher):
        return False
    return isinstance(a, bool) == isinstance(b, bool) and a == b


def type_of(value: Merged) -> str:
    """The JSON type of a merged value, integers and floats being one."""
    if type(value) is Branch:
        return "map"
    if type(value) is Listing:
        return "list"
    assert isinstance(value, Leaf)
    scalar = value.node.value
    if isinstance(scalar, Cipher):
        return {"int": "number", "float": "number", "bool": "boolean"}.get(scalar.type, "text")
    if scalar is None:
        return "null"
    return {bool: "boolean", str: "text"}.get(type(scalar), "number")
