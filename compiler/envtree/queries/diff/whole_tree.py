"""Compare two trees by one run over each: for trees with errors, and for checks that need a whole tree at once."""

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
    """Compare two trees, whatever is wrong with them."""
    # Most files are the same in both trees, and are parsed once.
    documents: DocumentCache = {} if base.request.document_cache is None else base.request.document_cache
    base_run, head_run = (Run(tree.request._replace(document_cache=documents)) for tree in (base, head))
    has_errors = any(run.severities.error_paths(run.diags) for run in (base_run, head_run))
    # With errors the list of bundles is not reliable.
    ids = frozenset() if has_errors else frozenset((*base_run.ids, *head_run.ids))
    check_scope(ComparisonScope(declared_inputs(base_run.workspace, head_run.workspace), ids))
    base_side, head_side = make_tree_side(base_run), make_tree_side(head_run)
    secrets = tuple(diff_secrets_files(base_side, head_side))
    groups: ValueChangeGroups | None = None
    unchanged = 0
    for pair in pair_bundles(base_run, head_run, {*base_run.ids}.intersection(head_run.ids)):
        groups = groups or ValueChangeGroups(base_side, head_side, find_reencrypted_leaves(secrets))
        unchanged += not groups.add(pair)
    base_ids, head_ids = {*base_run.selected}, {*head_run.selected}
    bundles, uncertain = diff_bundle_sets(base_ids, head_ids, base_side, head_side)
    unchecked = (base_ids & head_ids).difference(base_run.checked) | (base_ids & head_ids).difference(head_run.checked)
    new_findings, removed_findings = compare_findings(
        _summarize_run(base_run, base_side), _summarize_run(head_run, head_side)
    )
    return Diff(
        base=base.name,
        head=head.name,
        base_commit=base.commit,
        head_commit=head.commit,
        environments=rank_environments(
            (*_environment_types(base_side), *_environment_types(head_side)), (*base_run.selected, *head_run.selected)
        ),
        changes=merge_changes([groups.groups] if groups else []),
        bundles=bundles,
        unchanged=unchanged,
        not_compared=tuple(sorted(unchecked | uncertain)),
        secrets=secrets,
        rules=tuple(diff_rules(base_side, head_side)),
        new_findings=new_findings,
        removed_findings=removed_findings,
        has_errors=bool(head_run.severities.error_paths(head_run.diags)),
    )


def _summarize_run(run: Run, side: TreeSide) -> RunSummary:
    return RunSummary(run.outcome(), not side.files_with_errors, side.unread_files)


def _environment_types(side: TreeSide) -> Iterator[Mapping[str, str]]:
    for project in side.workspace.projects if side.workspace else ():
        yield {name: environment.type for name, environment in project.environments.items()}
