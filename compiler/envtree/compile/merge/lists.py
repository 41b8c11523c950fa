"""Merge lists by the policies that are declared for their paths, and by directives, which override the policies."""

from collections.abc import Callable, Hashable, Iterator

from envtree.compile.merge.context import MergeContext
from envtree.compile.merge.equality import identity
from envtree.compile.merge.layer_changes import Directive
from envtree.model.diagnostic import RelatedSpan
from envtree.model.keypath import KeyPath, format_path
from envtree.model.merged import MergedMapping, MergedScalar, MergedSequence, MergedValue, MergeRule, merged_span
from envtree.model.nodes import EncryptedValue
from envtree.model.span import Span
from envtree.model.workspace import MergeByKey

MergeElement = Callable[[MergedMapping, MergedMapping, KeyPath], MergedValue]


def combine_lists(
    below: MergedSequence | None,
    value: MergedSequence,
    path: KeyPath,
    context: MergeContext,
    merge_element: MergeElement,
) -> MergedSequence:
    """Combine two lists by the policy of their path; `merge_element` merges two elements with the same key."""
    policy = context.policies.at(path)
    if isinstance(policy, MergeByKey):
        return _merge_by_key(below, value, path, context, merge_element)
    if below is None:
        return value
    if policy == "append":
        return _override_list(below, value, below.items + value.items, "append")
    if policy == "prepend":
        return _override_list(below, value, value.items + below.items, "prepend")
    return _override_list(below, value, tuple(_unite(below.items, value.items)), "union")


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
    below: MergedSequence | None, directive: Directive, path: KeyPath, context: MergeContext
) -> MergedSequence | None:
    """Return the list after `$remove`, `$prepend` and `$append`; None if nothing changes."""
    items = below.items if below else ()
    if not directive.remove + directive.prepend + directive.append and below:
        span = Span(directive.layer.path, *directive.node.mark)
        context.mark_noop("ET450", span, path, "a directive with an empty list changes nothing", "remove it")
    if directive.remove:
        items = _remove_elements(items, directive.remove, path, context)
    edited = directive.prepend + items + directive.append
    adds = "$append" in directive.node.entries or "$prepend" in directive.node.entries
    if len(edited) == len(below.items) and not directive.append + directive.prepend if below else not adds:
        return None
    dynamic = any(item.is_dynamic for item in edited)
    return MergedSequence(edited, directive.node, directive.layer, below, "$list", None, dynamic, False)


def _remove_elements(
    items: tuple[MergedValue, ...], unwanted: tuple[MergedValue, ...], path: KeyPath, context: MergeContext
) -> tuple[MergedValue, ...]:
    """Return the elements without those that equal an unwanted value, or have it as their key."""
    policy = context.policies.at(path)
    positions: dict[Hashable, set[int]] = {}
    for position, item in enumerate(items):
        positions.setdefault(identity(item), set()).add(position)
        if isinstance(policy, MergeByKey):
            positions.setdefault(identity(_element_key(item, policy)), set()).add(position)
    removed: set[int] = set()
    for value in unwanted:
        key = identity(value)
        matching = positions.get(key, set()) - removed if key is not None else set()
        if matching:
            context.effects.mark_effective(merged_span(value))
            removed |= matching
        else:
            _report_missing_element(value, path, context)
    return tuple(item for position, item in enumerate(items) if position not in removed)


def check_list_keys(value: MergedMapping, path: KeyPath, context: MergeContext) -> None:
    """Report missing and duplicate keys of the lists inside a map that is new as a whole."""
    for key, child in value.entries.items() if context.policies.any_by_key else ():
        child_path = (*path, key)
        if type(child) is MergedMapping:
            check_list_keys(child, child_path, context)
        elif type(child) is MergedSequence and isinstance(context.policies.at(child_path), MergeByKey):
            _merge_by_key(None, child, child_path, context, lambda old, new, child_path: new)


def _merge_by_key(
    below: MergedSequence | None,
    value: MergedSequence,
    path: KeyPath,
    context: MergeContext,
    merge_element: MergeElement,
) -> MergedSequence:
    policy = context.policies.at(path)
    assert isinstance(policy, MergeByKey)
    items = list(below.items) if below else []
    positions: dict[Hashable, int] = {}
    for n, element in enumerate(items):
        positions.setdefault(identity(_element_key(element, policy)), n)
    keys: dict[Hashable, MergedScalar] = {}
    for item in value.items:
        key = _element_key(item, policy)
        if key is None or type(item) is not MergedMapping:
            _report_missing_key(item, policy, path, context)
            continue
        # A key that is a ciphertext equals no other.
        key_identity = identity(key)
        if key_identity is not None and key_identity in keys:
            _report_duplicate_key(key, keys[key_identity], policy, path, context)
            continue
        keys[key_identity] = key
        position = positions.get(key_identity) if key_identity is not None else None
        old = None if position is None else items[position]
        if position is None or type(old) is not MergedMapping:
            items.append(item)
        else:
            items[position] = merge_element(old, item, (*path, key.node.text))
    return _override_list(below, value, tuple(items), "by_key" if below else "set")


def _override_list(
    below: MergedSequence | None, value: MergedSequence, items: tuple[MergedValue, ...], rule: MergeRule
) -> MergedSequence:
    dynamic = value.is_dynamic or bool(below and below.is_dynamic)
    return value._replace(items=items, base=below, rule=rule, is_dynamic=dynamic)


def _element_key(item: MergedValue, policy: MergeByKey) -> MergedScalar | None:
    key = item.entries.get(policy.key) if type(item) is MergedMapping else None
    return key if type(key) is MergedScalar and key.node.value is not None else None


def _report_missing_element(unwanted: MergedValue, path: KeyPath, context: MergeContext) -> None:
    value = unwanted.node.value if type(unwanted) is MergedScalar else None
    description = "the element" if value is None or isinstance(value, EncryptedValue) else f"'{value}'"
    message = f"{description} is not in '{format_path(path)}', so nothing is removed"
    context.mark_noop("ET451", merged_span(unwanted), path, message, "correct the element, or take it out of '$remove'")


def _report_duplicate_key(
    key: MergedScalar, first: MergedScalar, policy: MergeByKey, path: KeyPath, context: MergeContext
) -> None:
    message = f"two elements of '{format_path(path)}' have the same '{policy.key}', by which this list is merged"
    related = RelatedSpan(merged_span(first), "the first one")
    context.report("ET407", merged_span(key), path, message, "merge them into one element", related)


def _report_missing_key(item: MergedValue, policy: MergeByKey, path: KeyPath, context: MergeContext) -> None:
    context.report(
        "ET404",
        merged_span(item),
        path,
        f"an element of '{format_path(path)}' has no '{policy.key}', by which this list is merged",
        f"add '{policy.key}' to the element",
    )
