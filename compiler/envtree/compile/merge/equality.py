"""JSON equality and types of merged values: 1 equals 1.0 but not true; environment variables compare as text."""

from collections.abc import Hashable

from envtree.model.merged import MergedMapping, MergedScalar, MergedSequence, MergedValue
from envtree.model.nodes import EncryptedValue


def is_equal(left: MergedValue | None, right: MergedValue | None, *, as_text: bool = False) -> bool:
    """Report whether two merged values are equal; ciphertexts never are, since comparing them takes a key."""
    if type(left) is MergedScalar and type(right) is MergedScalar:
        return left.node.text == right.node.text if as_text else _is_equal_scalar(left, right)
    if type(left) is MergedSequence and type(right) is MergedSequence:
        return len(left.items) == len(right.items) and all(map(is_equal, left.items, right.items))
    if type(left) is MergedMapping and type(right) is MergedMapping:
        return left.entries.keys() == right.entries.keys() and all(
            is_equal(child, right.entries[key], as_text=as_text) for key, child in left.entries.items()
        )
    return False


def _is_equal_scalar(left: MergedScalar, right: MergedScalar) -> bool:
    a, b = left.node.value, right.node.value
    if isinstance(a, EncryptedValue) or isinstance(b, EncryptedValue):
        return False
    return isinstance(a, bool) == isinstance(b, bool) and a == b


def identity(value: MergedValue | None) -> Hashable | None:
    """Return a key that two values share exactly if they are equal; None if, like a ciphertext, it equals nothing."""
    if type(value) is MergedScalar:
        scalar = value.node.value
        return None if isinstance(scalar, EncryptedValue) else (isinstance(scalar, bool), scalar)
    if type(value) is MergedSequence:
        items = tuple(map(identity, value.items))
        return None if None in items else ("list", items)
    if type(value) is MergedMapping:
        entries = {key: identity(child) for key, child in value.entries.items()}
        return None if None in entries.values() else ("map", frozenset(entries.items()))
    return None


def type_of(value: MergedValue) -> str:
    """Return the JSON type of a merged value; integers and floats are both `number`."""
    if type(value) is MergedMapping:
        return "map"
    if type(value) is MergedSequence:
        return "list"
    assert isinstance(value, MergedScalar)
    scalar = value.node.value
    if isinstance(scalar, EncryptedValue):
        return {"int": "number", "float": "number", "bool": "boolean"}.get(scalar.type, "text")
    if scalar is None:
        return "null"
    return {bool: "boolean", str: "text"}.get(type(scalar), "number")
