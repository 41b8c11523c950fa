"""Merging values by key, without encryption: against a judge that goes another way, on many random documents."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envtree.model.nodes import EncryptedValue, ScalarNode, SequenceNode
from envtree.model.span import FILE_START
from envtree.secrets.edit.sops_edits import plan_sops_edits
from envtree.secrets.edit.sops_values import UNKNOWN, SopsValue, SopsValues, is_same_value
from envtree.secrets.edit.three_way import merge_three_way
from envtree.secrets.edit.value_input import value_types
from envtree.secrets.sops.writer import SetValue
from tests.properties.merge_model import flat, merged, nested

SCALARS = st.sampled_from(["x", "y", "1", 1, 1.0, 0, True, False, "true"])
VALUES = st.one_of(SCALARS, st.lists(SCALARS, min_size=1, max_size=2))
KEYS = st.sampled_from("abc")
DOCUMENTS = st.dictionaries(
    KEYS,
    st.recursive(VALUES, lambda inner: st.dictionaries(KEYS, inner, min_size=1, max_size=3), max_leaves=5),
    max_size=3,
)


def leaves(document: Any, side: str, *, opened: bool = True) -> SopsValues:
    """The values of a document as if each version of it had been encrypted on its own."""
    return {path: leaf(value, side, opened=opened) for path, value in flat(document)}


def leaf(value: Any, side: str, *, opened: bool = True) -> SopsValue:
    plain = value if opened else UNKNOWN
    if isinstance(value, list):
        return SopsValue(SequenceNode([], tuple(scalar(item, side) for item in value), FILE_START), plain)
    return SopsValue(scalar(value, side), plain)


def scalar(value: Any, side: str) -> ScalarNode:
    return ScalarNode(EncryptedValue(value_types(value), 1, "f", "p"), f"{side} {value!r}", False, FILE_START)


def plain(found: SopsValues) -> Any:
    return nested({path: leaf.plain for path, leaf in found.items()})


@given(DOCUMENTS, DOCUMENTS, DOCUMENTS)
@settings(max_examples=500, deadline=None)
def test_the_judge_agrees(base: Any, ours: Any, theirs: Any) -> None:
    found = merge_three_way(leaves(base, "b"), leaves(ours, "o"), leaves(theirs, "t"))
    document, conflicts = merged(base, ours, theirs)
    assert repr_sorted(plain(found.values)) == repr_sorted(document)
    assert found.conflicts.keys() == conflicts


@given(DOCUMENTS, DOCUMENTS)
@settings(deadline=None)
def test_one_side_alone_wins_and_a_merge_with_oneself_is_nothing(base: Any, side: Any) -> None:
    b, s = leaves(base, "b"), leaves(side, "s")
    for found in (merge_three_way(b, s, b), merge_three_way(b, b, s), merge_three_way(b, s, leaves(side, "again"))):
        assert repr_sorted(plain(found.values)) == repr_sorted(side)
        assert not found.conflicts


@given(DOCUMENTS, DOCUMENTS, DOCUMENTS)
@settings(deadline=None)
def test_a_base_that_cannot_be_opened_is_compared_by_its_ciphertexts(base: Any, ours: Any, theirs: Any) -> None:
    """All under one data key: what has not been touched has the ciphertext of the base."""
    before = leaves(base, "b")

    def version(document: Any, side: str) -> SopsValues:
        kept = leaves(document, side)
        same_as_before = {path for path in kept if path in before and is_same_value(before[path], kept[path])}
        return {path: before[path] if path in same_as_before else one for path, one in kept.items()}

    closed = leaves(base, "b", opened=False)
    found = merge_three_way(closed, version(ours, "o"), version(theirs, "t"))
    document, conflicts = merged(base, ours, theirs)
    assert repr_sorted(plain(found.values)) == repr_sorted(document)
    assert found.conflicts.keys() == conflicts


@given(DOCUMENTS, DOCUMENTS)
@settings(max_examples=500, deadline=None)
def test_the_steps_lead_there(before: Any, after: Any) -> None:
    """What sops does with each step, done to plain data."""
    todo = plan_sops_edits(leaves(before, "b"), leaves(after, "a"))
    document = nested(dict(flat(before)))
    for step in todo.edits:
        at = document
        for key in step.path[:-1]:
            if not isinstance(at.get(key), dict):
                at[key] = {}
            at = at[key]
        if isinstance(step, SetValue):
            at[step.path[-1]] = step.value
        else:
            del at[step.path[-1]]
    assert repr_sorted(told(document)) == repr_sorted(told(after))
    assert len({step.path for step in todo.edits}) == len(todo.edits)


def told(document: Any) -> Any:
    """Integers as sops is told them."""
    if isinstance(document, dict):
        return {key: told(value) for key, value in document.items()}
    if isinstance(document, list):
        return [told(item) for item in document]
    return str(document) if type(document) is int else document


def repr_sorted(document: Any) -> str:
    """Types count, the order of keys does not."""
    if isinstance(document, dict):
        return "{" + ", ".join(f"{key}: {repr_sorted(document[key])}" for key in sorted(document)) + "}"
    return repr(document)


def test_unknown_values_are_equal_to_nothing_but_their_ciphertext() -> None:
    one, other = leaf("x", "a", opened=False), leaf("x", "b")
    assert not is_same_value(one, other)
    assert is_same_value(one, leaf("y", "a")._replace(node=one.node))


@pytest.mark.parametrize(("one", "other"), [(1, True), (1, 1.0), ("1", 1), ([1], [True]), ([1], ["1"])])
def test_types_count(one: Any, other: Any) -> None:
    assert not is_same_value(leaf(one, "a"), leaf(other, "b"))
