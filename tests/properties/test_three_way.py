"""Merge values by key, without encryption, and compare with an independent model on many random documents."""

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
from tests.support.rounds import rounds

SCALARS = st.sampled_from(["x", "y", "1", 1, 1.0, 0, True, False, "true"])
VALUES = st.one_of(SCALARS, st.lists(SCALARS, min_size=1, max_size=2))
KEYS = st.sampled_from("abc")
DOCUMENTS = st.dictionaries(
    KEYS,
    st.recursive(VALUES, lambda inner: st.dictionaries(KEYS, inner, min_size=1, max_size=3), max_leaves=5),
    max_size=3,
)


def leaves(document: Any, side: str, *, opened: bool = True) -> SopsValues:
    """Return the values of a document as if each version of it had been encrypted separately."""
    return {path: leaf(value, side, opened=opened) for path, value in flat(document)}


def leaf(value: Any, side: str, *, opened: bool = True) -> SopsValue:
    plain = value if opened else UNKNOWN
    if isinstance(value, list):
        return SopsValue(SequenceNode([], tuple(scalar(item, side) for item in value), FILE_START), plain)
    return SopsValue(scalar(value, side), plain)


def scalar(value: Any, side: str) -> ScalarNode:
    return ScalarNode(EncryptedValue(value_types(value), 1, "f", "p"), f"{side} {value!r}", False, FILE_START)


def plain(values: SopsValues) -> Any:
    return nested({path: leaf.plain for path, leaf in values.items()})


@given(DOCUMENTS, DOCUMENTS, DOCUMENTS)
@settings(max_examples=rounds(gate=150, full=500))
def test_the_judge_agrees(base: Any, ours: Any, theirs: Any) -> None:
    result = merge_three_way(leaves(base, "b"), leaves(ours, "o"), leaves(theirs, "t"))
    document, conflicts = merged(base, ours, theirs)
    assert repr_sorted(plain(result.values)) == repr_sorted(document)
    assert result.conflicts.keys() == conflicts


@given(DOCUMENTS, DOCUMENTS)
def test_one_side_alone_wins_and_a_merge_with_oneself_is_nothing(base: Any, side: Any) -> None:
    base_values, side_values = leaves(base, "b"), leaves(side, "s")
    for result in (
        merge_three_way(base_values, side_values, base_values),
        merge_three_way(base_values, base_values, side_values),
        merge_three_way(base_values, side_values, leaves(side, "again")),
    ):
        assert repr_sorted(plain(result.values)) == repr_sorted(side)
        assert not result.conflicts


@given(DOCUMENTS, DOCUMENTS, DOCUMENTS)
def test_a_base_that_cannot_be_opened_is_compared_by_its_ciphertexts(base: Any, ours: Any, theirs: Any) -> None:
    """All versions have one data key: unchanged values have the ciphertext of the base."""
    before = leaves(base, "b")

    def version(document: Any, side: str) -> SopsValues:
        values = leaves(document, side)
        same_as_before = {path for path in values if path in before and is_same_value(before[path], values[path])}
        return {path: before[path] if path in same_as_before else value for path, value in values.items()}

    closed = leaves(base, "b", opened=False)
    result = merge_three_way(closed, version(ours, "o"), version(theirs, "t"))
    document, conflicts = merged(base, ours, theirs)
    assert repr_sorted(plain(result.values)) == repr_sorted(document)
    assert result.conflicts.keys() == conflicts


@given(DOCUMENTS, DOCUMENTS)
@settings(max_examples=rounds(gate=150, full=500))
def test_the_steps_lead_there(before: Any, after: Any) -> None:
    """Apply the effect of each sops edit to plain data."""
    plan = plan_sops_edits(leaves(before, "b"), leaves(after, "a"))
    document = nested(dict(flat(before)))
    for edit in plan.edits:
        parent = document
        for key in edit.path[:-1]:
            if not isinstance(parent.get(key), dict):
                parent[key] = {}
            parent = parent[key]
        if isinstance(edit, SetValue):
            parent[edit.path[-1]] = edit.value
        else:
            del parent[edit.path[-1]]
    assert repr_sorted(integers_as_text(document)) == repr_sorted(integers_as_text(after))
    assert len({edit.path for edit in plan.edits}) == len(plan.edits)


def integers_as_text(document: Any) -> Any:
    """Return the document with integers as text, the form in which they are passed to sops."""
    if isinstance(document, dict):
        return {key: integers_as_text(value) for key, value in document.items()}
    if isinstance(document, list):
        return [integers_as_text(item) for item in document]
    return str(document) if type(document) is int else document


def repr_sorted(document: Any) -> str:
    """Return a text that depends on types, but not on the order of keys."""
    if isinstance(document, dict):
        return "{" + ", ".join(f"{key}: {repr_sorted(document[key])}" for key in sorted(document)) + "}"
    return repr(document)


def test_unknown_values_are_equal_to_nothing_but_their_ciphertext() -> None:
    unopened, opened = leaf("x", "a", opened=False), leaf("x", "b")
    assert not is_same_value(unopened, opened)
    assert is_same_value(unopened, leaf("y", "a")._replace(node=unopened.node))


@pytest.mark.parametrize(("left", "right"), [(1, True), (1, 1.0), ("1", 1), ([1], [True]), ([1], ["1"])])
def test_types_count(left: Any, right: Any) -> None:
    assert not is_same_value(leaf(left, "a"), leaf(right, "b"))
