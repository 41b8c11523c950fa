"""Compute one bundle of a tree, for commands about a single bundle."""

from typing import NamedTuple

import click

from envtree.cli.support.exits import ExitCode, exit_code_for
from envtree.cli.support.options import usage_error
from envtree.cli.support.session import (
    Environ,
    build_report,
    decrypter_factory,
    print_findings,
    start_run,
    tree_request,
)
from envtree.diagnostics.suggest import did_you_mean
from envtree.engine.request import BundleResult
from envtree.engine.run import Run
from envtree.queries.explain.key_lookup import KeyMissingError
from envtree.sources.single_bundle import SingleBundleTree
from envtree.sources.tree import DirectoryTree


class BundleRun(NamedTuple):
    """A bundle and the run that computed it; `result` is None if errors prevented it."""

    tree: DirectoryTree
    run: Run
    result: BundleResult | None

    def report_errors(self, color: str) -> ExitCode:
        """Print the errors that prevented the bundle; return the exit code."""
        report = build_report(self.run.outcome())
        print_findings(self.tree, report, color)
        return exit_code_for(report.findings)


def compute_bundle(tree: DirectoryTree, id: str, inputs: dict[str, str], *, reveal: bool) -> BundleRun:
    """Compute one bundle; with `reveal`, decrypt its secrets and require all inputs.

    Without `reveal` only the files of this bundle are read, so errors elsewhere in the tree do not matter. With it the
    whole tree is read, and an error anywhere prevents the result.
    """
    request = tree_request(
        tree if reveal else SingleBundleTree(tree, id),
        inputs=inputs,
        environ=Environ(),
        decrypter=decrypter_factory(tree) if reveal else None,
        require_inputs=reveal,
        # A missing bundle is reported below.
        allow_empty=True,
        restrict_ids=lambda _: frozenset({id}),
    )
    with start_run(request) as run:
        if run.workspace and id not in run.ids:
            # Suggestions need the ids of the whole tree.
            ids = run.ids if reveal else Run(request._replace(tree=tree)).ids
            of_agent = [bundle_id for bundle_id in ids if bundle_id.startswith(f"{id}@")]
            hint = f"name an environment too: {', '.join(of_agent)}" if of_agent else did_you_mean(id, ids)
            raise usage_error(f"there is no bundle '{id}'", hint)
        first_new = len(run.diags)
        result = next(run.results(), None)
    broken = bool(run.severities.error_paths(run.diags.since(first_new))) or (reveal and run.error_monitor.has_errors())
    return BundleRun(tree, run, None if broken else result)


def missing_key_error(missing: KeyMissingError, id: str) -> click.UsageError:
    """Return the usage error for a key that the bundle `id` does not have."""
    deleted = f"it is deleted at {', '.join(missing.deletions)}" if missing.deletions else ""
    suggestion = f"did you mean '{missing.suggestion}'?" if missing.suggestion else ""
    hint = "; ".join(filter(None, (deleted, suggestion))) or f"'envtree explain {id}' lists all keys"
    return usage_error(f"there is no '{missing.key}' in this bundle", hint)
