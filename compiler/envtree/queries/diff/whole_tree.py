"""Compare two trees by a run over each: what one of them has wrong, and what needs all of a tree at once."""

from collections.abc import Callable, Iterator, Mapping

from envtree.engine.run import Run
from envtree.frontend.read_files import Memory
from envtree.queries.diff.groups import Groups, changes
from envtree.queries.diff.model import Diff
from envtree.queries.diff.pairs import pairs, singles
from envtree.queries.diff.rules import rules
from envtree.queries.diff.secrets import anew, secrets_files
from envtree.queries.diff.side import Side, side_of
from envtree.queries.diff.trees import Extent, Looked, Named, declared, new_and_gone, ranked


def whole(base: Named, head: Named, fit: Callable[[Extent], None]) -> Diff:
    """What differs, whatever there is in the trees."""
    # Most files are the same in both trees.
    memory: Memory = {} if base.request.memory is None else base.request.memory
    one, other = (Run(side.request._replace(memory=memory)) for side in (base, head))
    wrong = any(run.severities.errors(run.diags) for run in (one, other))
    # Over errors nobody knows what there would be.
    ids = frozenset() if wrong else frozenset((*one.ids, *other.ids))
    fit(Extent(declared(one.workspace, other.workspace), ids))
    before, after = side_of(one), side_of(other)
    secrets = tuple(secrets_files(before, after))
    groups: Groups | None = None
    unchanged = 0
    for pair in pairs(one, other, {*one.ids}.intersection(other.ids)):
        groups = groups or Groups(before, after, anew(secrets))
        unchanged += not groups.add(pair)
    old, new = {*one.selected}, {*other.selected}
    bundles, uncertain = singles(old, new, before, after)
    unchecked = (old & new).difference(one.checked) | (old & new).difference(other.checked)
    found, gone = new_and_gone(_looked(one, before), _looked(other, after))
    return Diff(
        base=base.name,
        head=head.name,
        base_commit=base.commit,
        head_commit=head.commit,
        environments=ranked((*_types(before), *_types(after)), (*one.selected, *other.selected)),
        changes=changes([groups.found] if groups else []),
        bundles=bundles,
        unchanged=unchanged,
        spoiled=tuple(sorted(unchecked | uncertain)),
        secrets=secrets,
        rules=tuple(rules(before, after)),
        new=found,
        gone=gone,
        errors=bool(other.severities.errors(other.diags)),
    )


def _looked(run: Run, side: Side) -> Looked:
    return Looked(run.outcome(), not side.broken, side.unread)


def _types(side: Side) -> Iterator[Mapping[str, str]]:
    for project in side.workspace.projects if side.workspace else ():
        yield {name: one.type for name, one in project.environments.items()}
