"""The merge algebra: what a layer says, applied to what is below it. Nothing given is ever changed."""

from typing import TypeGuard

from envtree.compile.merge.context import Context
from envtree.compile.merge.lift import Change, Edit, Patch, is_expression
from envtree.compile.merge.lists import check_keys, combine, edit_list
from envtree.compile.merge.locks import broken_locks, keep_locks
from envtree.compile.merge.same import same, type_of
from envtree.diagnostics.suggest import nearest
from envtree.model.keypath import KeyPath, format_path
from envtree.model.merged import Branch, Leaf, Listing, Merged, Rule, span_of
from envtree.model.nodes import Mapping, Sequence
from envtree.model.span import Span

# As in `lift`: a named tuple's own constructor costs as much again.
_new = tuple.__new__

_SIMPLE = frozenset({str, int, bool})
_NOTHING = "correct the name, or remove the directive"
_NOT_INJECTED = "correct the name, or write secrets: {{{0}: {{$delete: true}}}} if '{0}' comes from a secret"


def apply(below: Merged | None, change: Change, path: KeyPath, held: Span | None, context: Context) -> Merged | None:
    """The value above: `held` is the lock of a map around it; None means that there is no such key."""
    if type(change) is Patch:
        return _apply_directive(below, change, path, held, context)
    if type(below) is Branch and isinstance(change, (Branch, Edit)):
        return merge_map(below, change, path, held or below.lock, context)
    return _write(below, settle(change, path, context), path, held, context)


def merge_map(below: Branch, change: Branch | Edit, path: KeyPath, held: Span | None, context: Context) -> Branch:
    """Merge key by key; a key that merges to nothing is gone."""
    if not change.entries:
        _report_empty(change, path, context)
        return below
    entries = dict(below.entries)
    dynamic, guarded, locks = below.dynamic, below.guarded, below.locks
    # The common cases are spelt out: they are most of the work of a compile.
    new_maps = held is None and not context.policies.any_by_key
    for key, child in change.entries.items():
        under = entries.get(key)
        if new_maps and under is None and type(child) is Branch and child.entries:
            entries[key] = child
            dynamic = dynamic or child.dynamic
            continue
        if held is None and type(child) is Leaf and (under is None or _replaces(under, child, context)):
            if under is None:
                entries[key] = child
            else:
                if under.node.text == child.node.text:
                    context.repeat(under, child, (*path, key))
                over = under.dynamic or under.guarded
                entries[key] = _new(Leaf, (child.node, child.layer, under, "replace", None, child.dynamic, over))
                guarded = guarded or over
            dynamic = dynamic or child.dynamic
            continue
        # What is missing may have been meant to be one of its neighbours.
        around = context._replace(siblings=tuple(entries)) if under is None and type(child) is Patch else context
        merged = apply(under, child, (*path, key), held, around)
        if merged is None:
            entries.pop(key, None)
            continue
        entries[key] = merged
        dynamic = dynamic or merged.dynamic
        guarded = guarded or merged.guarded
        locks = locks or merged.lock is not None or (type(merged) is Branch and merged.locks)
    return _new(Branch, (entries, change.node, change.layer, below, "merge", below.lock, dynamic, guarded, locks))


def settle(change: Branch | Leaf | Listing | Edit | Patch, path: KeyPath, context: Context) -> Merged:
    """What a change amounts to with nothing below: its directives are applied to nothing."""
    if type(change) is Edit:
        nothing = Branch({}, change.node, change.layer, None, "set", None, False, False, False)
        return merge_map(nothing, change, path, None, context)._replace(below=None, rule="set")
    assert isinstance(change, (Leaf, Listing, Branch))
    return change


def _report_empty(change: Branch | Edit, path: KeyPath, context: Context) -> None:
    place = Span(change.layer.path, *change.node.at)
    if isinstance(change.node, Mapping) and change.node.entries:
        context.idle("ET450", place, path, "a directive with an empty list changes nothing", "remove it")
        return
    empty = "[]" if isinstance(change.node, Sequence) else "{}"
    hint = "write {$replace: {}} to empty the map"
    context.idle("ET450", place, path, f"'{empty}' over a map changes nothing", hint)


def _replaces(below: Merged, leaf: Leaf, context: Context) -> TypeGuard[Leaf]:
    """Whether a scalar takes the place of another one without any question of types or locks."""
    return (
        type(below) is Leaf
        and below.lock is None
        and type(value := leaf.node.value) in _SIMPLE
        and (context.text or type(below.node.value) is type(value))
    )


def _write(below: Merged | None, value: Merged, path: KeyPath, held: Span | None, context: Context) -> Merged | None:
    """Put a value in the place of what is below, if its type fits; a list goes by its policy."""
    if below is not None and not _fits(below, value, context):
        context.clash(below, value, path)
        return below
    if (type(value) is Branch and not value.entries) or (type(value) is Listing and type(below) is not Listing):
        context.effects.useful(span_of(value))
    if type(value) is Branch:
        check_keys(value, path, context)
        _note_empty(value, context)
    if type(value) is not Listing or context.policies.at(path) == "replace":
        return _stand(below, value, path, held, context, "replace")
    under = below if type(below) is Listing else None
    if under and not value.items:
        context.idle("ET450", span_of(value), path, "'[]' adds nothing to the inherited list", "remove the line")
        return below

    def merge_element(old: Branch, new: Branch, at: KeyPath) -> Merged:
        return merge_map(old, new, at, None, context)

    combined = combine(under, value, path, context, merge_element)
    return _stand(below, combined, path, held, context, combined.rule if under else "replace")


def _note_empty(value: Branch, context: Context) -> None:
    """What is empty inside a map that comes as a whole is of use here, whatever it is elsewhere."""
    for child in value.entries.values():
        if type(child) is Branch and child.entries:
            _note_empty(child, context)
        elif type(child) is Branch or (type(child) is Listing and not child.items):
            context.effects.useful(span_of(child))


def _stand(
    below: Merged | None, value: Merged, path: KeyPath, held: Span | None, context: Context, rule: Rule
) -> Merged | None:
    """Set `value` over `below`, unless a lock on, around or inside it forbids that."""
    if below is None:
        if held:
            context.locked(held, span_of(value), path)
        return None if held else value
    if lock := held or below.lock:
        if not same(below, value, text=context.text):
            context.locked(lock, span_of(value), path)
            return below
        value = value._replace(lock=below.lock)
    elif rule == "replace" and type(value) is not Branch and same(below, value, text=context.text):
        context.repeat(below, value, path)
    if _breaks_locks(below, value, span_of(value), path, context):
        return below
    if type(below) is Branch and below.locks:
        assert type(value) is Branch
        value = keep_locks(below, value)
    guarded = (below.guarded or below.dynamic) and rule != "$replace"
    return value._replace(below=below, rule=rule, guarded=guarded)


def _breaks_locks(below: Merged, value: Merged | None, place: Span, path: KeyPath, context: Context) -> bool:
    """Whether a value, or a removal, breaks a lock inside the map below; reported at `place` if so."""
    if type(below) is not Branch or not below.locks:
        return False
    broken = tuple(broken_locks(below, value, path, text=context.text))
    if broken:
        (where, who), *others = broken
        context.locked(who, place, where, *others)
    return bool(broken)


def _fits(below: Merged, value: Merged, context: Context) -> bool:
    one, other = type_of(below), type_of(value)
    if one == other or "null" in (one, other) or is_expression(below) or is_expression(value):
        return True
    return context.text and type(below) is Leaf and type(value) is Leaf


def _apply_directive(
    below: Merged | None, patch: Patch, path: KeyPath, held: Span | None, context: Context
) -> Merged | None:
    if patch.expect and (patch.expect == "exists") != (below is not None):
        context.unexpected(below, Span(patch.layer.path, *patch.node.entries["$expect"].at), path)
    result = _act(below, patch, path, held, context)
    if patch.lock is None or result is None or result.lock or held:
        return result
    return result._replace(lock=patch.lock, locks=True) if type(result) is Branch else result._replace(lock=patch.lock)


def _act(below: Merged | None, patch: Patch, path: KeyPath, held: Span | None, context: Context) -> Merged | None:
    if patch.action == "$delete":
        return _delete(below, patch, path, held, context)
    if patch.action == "$list":
        return _edit(below, patch, path, held, context)
    if patch.value is None:
        return below
    if patch.action == "$value":
        if patch.lock and isinstance(patch.value, (Leaf, Listing)):
            context.effects.pin(patch.value)
        return apply(below, patch.value, path, held, context)
    return _stand(below, _replacement(settle(patch.value, path, context)), path, held, context, "$replace")


def _replacement(value: Merged) -> Merged:
    """The value with `$replace` as the rule of everything in it, for that is what it says of each key."""
    if type(value) is Branch:
        entries = {key: _replacement(child) for key, child in value.entries.items()}
        return value._replace(entries=entries, rule="$replace")
    return value._replace(rule="$replace")


def _edit(below: Merged | None, patch: Patch, path: KeyPath, held: Span | None, context: Context) -> Merged | None:
    if below is not None and type(below) is not Listing and type_of(below) != "null":
        context.not_a_list(below, Span(patch.layer.path, *patch.node.at), path)
        return below
    edited = edit_list(below if type(below) is Listing else None, patch, path, context)
    return below if edited is None else _stand(below, edited, path, held, context, "$list")


def _no_deletion_hint(path: KeyPath, context: Context) -> str:
    meant = nearest(path[-1], context.siblings)
    if meant:
        return f"did you mean '{meant}'?"
    return _NOT_INJECTED.format(path[-1]) if context.text and path[:-1] == ("env_vars",) else _NOTHING


def _delete(below: Merged | None, patch: Patch, path: KeyPath, held: Span | None, context: Context) -> Merged | None:
    place = Span(patch.layer.path, *patch.node.at)
    if below is None:
        message = f"'{format_path(path)}' is not inherited, so there is nothing to delete"
        context.idle("ET451", place, path, message, _no_deletion_hint(path, context))
        return None
    context.effects.useful(place)
    if lock := held or below.lock:
        context.locked(lock, place, path)
        return below
    return below if _breaks_locks(below, None, place, path, context) else None
