"""Merge lists by the policies that are declared for their paths, and by directives, which override the policies."""

from collections.abc import Hashable, Iterator
from typing import cast

from deepmerge.strategy.core import StrategyList

from envtree.compile.merge.equality import identity
from envtree.compile.merge.layer_changes import Directive
from envtree.compile.merge.merger import LayerMerger
from envtree.compile.merge.override import override
from envtree.model.canonical_json import encode_compact
from envtree.model.diagnostic import RelatedSpan
from envtree.model.keypath import KeyPath
from envtree.model.merged import MergedMapping, MergedScalar, MergedSequence, MergedValue, MergeRule, merged_span
from envtree.model.nodes import EncryptedValue
from envtree.model.path_policy import ListPolicy
from envtree.model.span import Span


class ListStrategies(StrategyList):
    """The strategies for two lists; each list policy is the name of one."""

    NAME = "list"

    @staticmethod
    def strategy_replace(
        merger: LayerMerger, path: KeyPath, base: MergedSequence, change: MergedSequence
    ) -> MergedSequence:
        """Replace the inherited list."""
        return change._replace(rule="replace")

    @staticmethod
    def strategy_append(
        merger: LayerMerger, path: KeyPath, base: MergedSequence, change: MergedSequence
    ) -> MergedSequence:
        """Put the elements behind the inherited ones."""
        return _combine(base, change, base.items + change.items, "append")

    @staticmethod
    def strategy_prepend(
        merger: LayerMerger, path: KeyPath, base: MergedSequence, change: MergedSequence
    ) -> MergedSequence:
        """Put the elements before the inherited ones."""
        return _combine(base, change, change.items + base.items, "prepend")

    @staticmethod
    def strategy_union(
        merger: LayerMerger, path: KeyPath, base: MergedSequence, change: MergedSequence
    ) -> MergedSequence:
        """Append the elements that the inherited list lacks."""
        return _combine(base, change, tuple(_unite(base.items, change.items)), "union")

    @staticmethod
    def strategy_unique(
        merger: LayerMerger, path: KeyPath, base: MergedSequence, change: MergedSequence
    ) -> MergedSequence:
        """Append the elements that the inherited list lacks, without the duplicates of either."""
        return _combine(base, change, tuple(_unite((), base.items + change.items)), "unique")

    @staticmethod
    def strategy_by_key(
        merger: LayerMerger, path: KeyPath, base: MergedSequence, change: MergedSequence
    ) -> MergedSequence:
        """Merge the elements that have the same value of a key, and append the others."""
        return _merge_by_key(merger, path, base, change)


# deepmerge refuses a policy without a strategy, here and not when it is first used.
_STRATEGY_BY_POLICY = {policy: ListStrategies(policy.value) for policy in ListPolicy}


def merge_lists(merger: LayerMerger, path: KeyPath, base: MergedSequence, change: MergedSequence) -> MergedValue | None:
    """Combine two lists by the policy of their path."""
    policy = merger.policies.at(path).lists
    if not change.items and policy is not ListPolicy.REPLACE:
        hint = "remove the line"
        merger.mark_noop("ET450", merged_span(change), path, "'[]' adds nothing to the inherited list", hint)
        return base
    combined = _STRATEGY_BY_POLICY[policy](merger, cast("list[str]", path), base, change)
    return override(merger, path, base, combined, combined.rule)


def add_list(
    merger: LayerMerger, path: KeyPath, base: MergedValue | None, change: MergedSequence
) -> MergedValue | None:
    """Add a list where none is inherited; the base is None, null or an expression."""
    merger.effects.mark_effective(merged_span(change))
    return override(merger, path, base, _apply_policy_alone(merger, path, change), "replace")


def _unite(below: tuple[MergedValue, ...], items: tuple[MergedValue, ...]) -> Iterator[MergedValue]:
    """Yield all elements below, and each of the others that no earlier element equals."""
    yield from below
    known = set(map(identity, below)) - {None}
    for item in items:
        key = identity(item)
        if key is None or key not in known:
            yield item
            known.add(key)


def apply_list_directive(
    merger: LayerMerger, path: KeyPath, below: MergedSequence | None, directive: Directive
) -> MergedSequence | None:
    """Return the list after `$remove`, `$prepend` and `$append`; None if nothing changes."""
    items = below.items if below else ()
    if not directive.remove + directive.prepend + directive.append and below:
        span = Span(directive.layer.path, *directive.node.mark)
        merger.mark_noop("ET450", span, path, "a directive with an empty list changes nothing", "remove it")
    if directive.remove:
        items = _remove_elements(merger, path, items, directive.remove)
    edited = directive.prepend + items + directive.append
    adds = "$append" in directive.node.entries or "$prepend" in directive.node.entries
    if len(edited) == len(below.items) and not directive.append + directive.prepend if below else not adds:
        return None
    dynamic = any(item.is_dynamic for item in edited)
    return MergedSequence(edited, directive.node, directive.layer, below, "$list", None, dynamic, False)


def _remove_elements(
    merger: LayerMerger, path: KeyPath, items: tuple[MergedValue, ...], unwanted: tuple[MergedValue, ...]
) -> tuple[MergedValue, ...]:
    """Return the elements without those that equal an unwanted value, or have it as their key."""
    policy = merger.policies.at(path)
    positions: dict[Hashable, set[int]] = {}
    for position, item in enumerate(items):
        positions.setdefault(identity(item), set()).add(position)
        if policy.lists is ListPolicy.BY_KEY:
            positions.setdefault(identity(element_key(item, policy.key)), set()).add(position)
    removed: set[int] = set()
    for value in unwanted:
        key = identity(value)
        matching = positions.get(key, set()) - removed if key is not None else set()
        if matching:
            merger.effects.mark_effective(merged_span(value))
            removed |= matching
        else:
            _report_missing_element(merger, path, value)
    return tuple(item for position, item in enumerate(items) if position not in removed)


def apply_policies_inside(merger: LayerMerger, path: KeyPath, value: MergedMapping) -> MergedMapping:
    """Return a map that is new as a whole with the policies of the lists in it applied to them alone."""
    if not merger.policies.any_shapes_new_lists:
        return value
    entries = dict(value.entries)
    for key, child in entries.items():
        child_path = (*path, key)
        if type(child) is MergedMapping:
            entries[key] = apply_policies_inside(merger, child_path, child)
        elif type(child) is MergedSequence:
            entries[key] = _apply_policy_alone(merger, child_path, child)
    return value._replace(entries=entries)


def _apply_policy_alone(merger: LayerMerger, path: KeyPath, value: MergedSequence) -> MergedSequence:
    """Return a list without inherited elements: its keys are checked, or its duplicates removed, as its policy says."""
    policy = merger.policies.at(path).lists
    if policy is ListPolicy.BY_KEY:
        return _merge_by_key(merger, path, None, value)
    if policy is ListPolicy.UNIQUE:
        return value._replace(items=tuple(_unite((), value.items)))
    return value


def _merge_by_key(
    merger: LayerMerger, path: KeyPath, base: MergedSequence | None, change: MergedSequence
) -> MergedSequence:
    key_name = merger.policies.at(path).key
    # Locks around the list are compared with the list as a whole.
    element_merger = merger.outside_locks()
    items = list(base.items) if base else []
    positions: dict[Hashable, int] = {}
    for n, element in enumerate(items):
        positions.setdefault(identity(element_key(element, key_name)), n)
    keys: dict[Hashable, MergedScalar] = {}
    for item in change.items:
        key = element_key(item, key_name)
        if key is None or type(item) is not MergedMapping:
            _report_missing_key(merger, path, item, key_name)
            continue
        # A key that is a ciphertext equals no other.
        key_identity = identity(key)
        if key_identity is not None and key_identity in keys:
            _report_duplicate_key(merger, path, key, keys[key_identity], key_name)
            continue
        keys[key_identity] = key
        position = positions.get(key_identity) if key_identity is not None else None
        old = None if position is None else items[position]
        place = len(items) if position is None else position
        scoped = element_merger.inside_element(path, place, encode_compact(key.node.value))
        element_path = (*path, key.node.text)
        if position is None or type(old) is not MergedMapping:
            items.append(apply_policies_inside(scoped, element_path, item))
        else:
            merged = scoped.apply(element_path, old, item)
            assert merged is not None, "two maps make a map"
            items[position] = merged
    return _combine(base, change, tuple(items), "by_key" if base else "set")


def _combine(
    base: MergedSequence | None, change: MergedSequence, items: tuple[MergedValue, ...], rule: MergeRule
) -> MergedSequence:
    dynamic = change.is_dynamic or bool(base and base.is_dynamic)
    return change._replace(items=items, base=base, rule=rule, is_dynamic=dynamic)


def element_key(item: MergedValue, name: str) -> MergedScalar | None:
    """Return the value of the key that identifies an element of a `by_key` list; None without one."""
    key = item.entries.get(name) if type(item) is MergedMapping else None
    return key if type(key) is MergedScalar and key.node.value is not None else None


def _report_missing_element(merger: LayerMerger, path: KeyPath, unwanted: MergedValue) -> None:
    value = unwanted.node.value if type(unwanted) is MergedScalar else None
    description = "the element" if value is None or isinstance(value, EncryptedValue) else f"'{value}'"
    message = f"{description} is not in '{merger.format(path)}', so nothing is removed"
    merger.mark_noop("ET451", merged_span(unwanted), path, message, "correct the element, or take it out of '$remove'")


def _report_duplicate_key(
    merger: LayerMerger, path: KeyPath, key: MergedScalar, first: MergedScalar, name: str
) -> None:
    message = f"two elements of '{merger.format(path)}' have the same '{name}', by which this list is merged"
    related = RelatedSpan(merged_span(first), "the first one")
    merger.report("ET407", merged_span(key), path, message, "merge them into one element", related)


def _report_missing_key(merger: LayerMerger, path: KeyPath, item: MergedValue, name: str) -> None:
    merger.report(
        "ET404",
        merged_span(item),
        path,
        f"an element of '{merger.format(path)}' has no '{name}', by which this list is merged",
        f"add '{name}' to the element",
    )
