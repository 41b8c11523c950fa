"""Compare two trees by a run over each: what one of them has wrong, and what needs all of a tree at once."""

from collections.abc import Callable, Iterator, Mapping

from envtree.engine.run import Run
from envtree.frontend.read_files import DocumentCache
from envtree.queries.diff.bundle_pairs import diff_bundle_sets, pair_bundles
from envtree.queries.diff.change_groups import ValueChangeGroups, merge_changes
from envtree.queries.diff.comparison import (
    ComparisonScope,
    LabelledTree,
    RunSummary,
    compare_findings,
    declared_inputs,
    rank_environments,
)
from envtree.queries.diff.diff_model import Diff
from envtree.queries.diff.rule_changes import diff_rules
from envtree.queries.diff.secrets_file_changes import diff_secrets_files, find_reencrypted_leaves
from envtree.queries.diff.tree_side import TreeSide, make_tree_side


def compare_whole_trees(base: LabelledTree, head: LabelledTree, check_scope: Callable[[ComparisonScope], None]) -> Diff:
    """What differs, whatever there is in the trees."""
    # Most files are the same in both trees.
    memory: DocumentCache = {} if base.request.document_cache is None else base.request.document_cache
    one, other = (Run(side.request._replace(document_cache=memory)) for side in (base, head))
    wrong = any(run.severities.error_paths(run.diags) for run in (one, other))
    # Over errors nobody knows what there would be.
    ids = frozenset() if wrong else frozenset((*one.ids, *other.ids))
    check_scope(ComparisonScope(declared_inputs(one.workspace, other.workspace), ids))
    before, after = make_tree_side(one), make_tree_side(other)
    secrets = tuple(diff_secrets_files(before, after))
    groups: ValueChangeGroups | None = None
    unchanged = 0
    for pair in pair_bundles(one, other, {*one.ids}.intersection(other.ids)):
        groups = groups or ValueChangeGroups(before, after, find_reencrypted_leaves(secrets))
        unchanged += not groups.add(pair)
    old, new = {*one.selected}, {*other.selected}
    bundles, uncertain = diff_bundle_sets(old, new, before, after)
    unchecked = (old & new).difference(one.checked) | (old & new).difference(other.checked)
    found, gone = compare_findings(_summarize_run(one, before), _summarize_run(other, after))
    return Diff(
        base=base.name,
        head=head.name,
        base_commit=base.commit,
        head_commit=head.commit,
        environments=rank_environments(
            (*_environment_types(before), *_environment_types(after)), (*one.selected, *other.selected)
        ),
        changes=merge_changes([groups.groups] if groups else []),
        bundles=bundles,
        unchanged=unchanged,
        not_compared=tuple(sorted(unchecked | uncertain)),
        secrets=secrets,
        rules=tuple(diff_rules(before, after)),
        new_findings=found,
        removed_findings=gone,
        has_errors=bool(other.severities.error_paths(other.diags)),
    )


def _summarize_run(run: Run, side: TreeSide) -> RunSummary:
    return RunSummary(run.outcome(), not side.files_with_errors, side.unread_files)


def _environment_types(side: TreeSide) -> Iterator[Mapping[str, str]]:
    for project in side.workspace.projects if side.workspace else ():
        yield {name: one.type for name, one in project.environments.items()}
