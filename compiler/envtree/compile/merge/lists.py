"""Lists: the policies that are declared by path, and the directives that stand over them."""

from collections.abc import Callable

from envtree.compile.merge.context import Context
from envtree.compile.merge.lift import Patch
from envtree.compile.merge.same import same
from envtree.model.diagnostic import Related
from envtree.model.keypath import KeyPath, format_path
from envtree.model.merged import Branch, Leaf, Listing, Merged, Rule, span_of
from envtree.model.nodes import Cipher
from envtree.model.span import Span
from envtree.model.workspace import ByKey

MergeElement = Callable[[Branch, Branch, KeyPath], Merged]


def combine(below: Listing | None, value: Listing, path: KeyPath, context: Context, merge: MergeElement) -> Listing:
    """A list over a list by the policy of its path; `merge` merges two elements with one key."""
    policy = context.policies.at(path)
    if isinstance(policy, ByKey):
        return _by_key(below, value, path, context, merge)
    if below is None:
        return value
    if policy == "append":
        return _over(below, value, below.items + value.items, "append")
    if policy == "prepend":
        return _over(below, value, value.items + below.items, "prepend")
    items = below.items
    for item in value.items:
        if not any(same(item, there) for there in items):
            items = (*items, item)
    return _over(below, value, items, "union")


def edit_list(below: Listing | None, patch: Patch, path: KeyPath, context: Context) -> Listing | None:
    """The list after `$remove`, `$prepend` and `$append`; None when nothing changes."""
    items = below.items if below else ()
    if not patch.remove + patch.prepend + patch.append and below:
        place = Span(patch.layer.path, *patch.node.at)
        context.idle("ET450", place, path, "a directive with an empty list changes nothing", "remove it")
    for unwanted in patch.remove:
        kept = tuple(item for item in items if not _is(item, unwanted, path, context))
        if len(kept) == len(items):
            _report_missing(unwanted, path, context)
        else:
            context.effects.useful(span_of(unwanted))
        items = kept
    edited = patch.prepend + items + patch.append
    adds = "$append" in patch.node.entries or "$prepend" in patch.node.entries
    if len(edited) == len(below.items) and not patch.append + patch.prepend if below else not adds:
        return None
    dynamic = any(item.dynamic for item in edited)
    return Listing(edited, patch.node, patch.layer, below, "$list", None, dynamic, False)


def check_keys(value: Branch, path: KeyPath, context: Context) -> None:
    """Report what is wrong with the keys of lists inside a map that comes as a whole."""
    for key, child in value.entries.items() if context.policies.any_by_key else ():
        at = (*path, key)
        if type(child) is Branch:
            check_keys(child, at, context)
        elif type(child) is Listing and isinstance(context.policies.at(at), ByKey):
            _by_key(None, child, at, context, lambda old, new, at: new)


def _by_key(below: Listing | None, value: Listing, path: KeyPath, context: Context, merge: MergeElement) -> Listing:
    policy = context.policies.at(path)
    assert isinstance(policy, ByKey)
    items = list(below.items) if below else []
    seen: list[Leaf] = []
    for item in value.items:
        key = _key_of(item, policy)
        if key is None or type(item) is not Branch:
            _report_keyless(item, policy, path, context)
            continue
        first = next((one for one in seen if same(one, key)), None)
        if first:
            _report_twice(key, first, policy, path, context)
            continue
        seen.append(key)
        there = next((n for n, old in enumerate(items) if below and same(_key_of(old, policy), key)), None)
        old = None if there is None else items[there]
        if there is None or type(old) is not Branch:
            items.append(item)
        else:
            items[there] = merge(old, item, (*path, key.node.text))
    return _over(below, value, tuple(items), "by_key" if below else "set")


def _over(below: Listing | None, value: Listing, items: tuple[Merged, ...], rule: Rule) -> Listing:
    dynamic = value.dynamic or bool(below and below.dynamic)
    return value._replace(items=items, below=below, rule=rule, dynamic=dynamic)


def _key_of(item: Merged, policy: ByKey) -> Leaf | None:
    key = item.entries.get(policy.key) if type(item) is Branch else None
    return key if type(key) is Leaf and key.node.value is not None else None


def _is(item: Merged, unwanted: Merged, path: KeyPath, context: Context) -> bool:
    policy = context.policies.at(path)
    return same(item, unwanted) or (isinstance(policy, ByKey) and same(_key_of(item, policy), unwanted))


def _report_missing(unwanted: Merged, path: KeyPath, context: Context) -> None:
    value = unwanted.node.value if type(unwanted) is Leaf else None
    what = "the element" if value is None or isinstance(value, Cipher) else f"'{value}'"
    message = f"{what} is not in '{format_path(path)}', so nothing is removed"
    context.idle("ET451", span_of(unwanted), path, message, "correct the element, or take it out of '$remove'")


def _report_twice(key: Leaf, first: Leaf, policy: ByKey, path: KeyPath, context: Context) -> None:
    message = f"two elements of '{format_path(path)}' have the same '{policy.key}', by which this list is merged"
    related = Related(span_of(first), "the first one")
    context.report("ET407", span_of(key), path, message, "merge them into one element", related)


def _report_keyless(item: Merged, policy: ByKey, path: KeyPath, context: Context) -> None:
    context.report(
        "ET404",
        span_of(item),
        path,
        f"an element of '{format_path(path)}' has no '{policy.key}', by which this list is merged",
        f"add '{policy.key}' to the element",
    )
