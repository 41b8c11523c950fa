"""Report values that a layer adds where a policy only lets it change those that it inherits."""

from envtree.compile.merge.equality import identity
from envtree.compile.merge.layer_changes import Directive, LayerChange, MapChange
from envtree.compile.merge.lists import element_key
from envtree.compile.merge.merger import LayerMerger
from envtree.diagnostics.suggest import nearest_name
from envtree.model.canonical_json import encode_compact
from envtree.model.diagnostic import RelatedSpan
from envtree.model.keypath import KeyPath
from envtree.model.merged import MergedMapping, MergedSequence, MergedValue
from envtree.model.path_policy import ListPolicy
from envtree.model.span import Span


def check_additions(merger: LayerMerger, path: KeyPath, base: MergedValue | None, change: LayerChange) -> None:
    """Report each value of a change that is not inherited and must be; `$expect: new` and `$replace` allow it."""
    if isinstance(change, Directive):
        if change.action in ("$delete", "$replace") or change.expect:
            return
        if change.action == "$value" and change.value is not None:
            check_additions(merger, path, base, change.value)
            return
    if base is None and merger.policies.at(path).must_exist:
        _report_addition(merger, path, Span(change.layer.path, *change.node.mark))
    elif isinstance(change, (MergedMapping, MapChange)):
        inherited = base.entries if isinstance(base, MergedMapping) else {}
        for key, child in change.entries.items():
            siblings = tuple(inherited) if key not in inherited else ()
            check_additions(merger.beside(siblings), (*path, key), inherited.get(key), child)
    elif isinstance(change, MergedSequence):
        _check_elements(merger, path, base, change)


def _check_elements(merger: LayerMerger, path: KeyPath, base: MergedValue | None, change: MergedSequence) -> None:
    """Check the elements of a list that is merged by a key; other lists have no paths inside."""
    policy = merger.policies.at(path)
    if policy.lists is not ListPolicy.BY_KEY:
        return
    items = [*base.items] if isinstance(base, MergedSequence) else []
    positions = {identity(element_key(item, policy.key)): n for n, item in reversed([*enumerate(items)])}
    for item in change.items:
        key = element_key(item, policy.key)
        if key is None:
            continue  # reported by the merge
        position = positions.get(identity(key), len(items))
        scoped = merger.inside_element(path, position, encode_compact(key.node.value))
        inherited = items[position] if position < len(items) else None
        check_additions(scoped, (*path, key.node.text), inherited, item)
        if inherited is None:
            items.append(item)


def _report_addition(merger: LayerMerger, path: KeyPath, span: Span) -> None:
    suggestion = nearest_name(path[-1], merger.siblings)
    add_it = "set it in organization.yaml, too" if merger.elements else "write {$value: …, $expect: new} to add it"
    declared = merger.policies.at(path).span
    merger.report(
        "ET403",
        span,
        path,
        f"'{merger.format(path)}' is not inherited, and a policy only allows to override it",
        f"did you mean '{suggestion}'?" if suggestion else f"correct the name, or {add_it}",
        *([RelatedSpan(declared, "the policy")] if declared else []),
    )
