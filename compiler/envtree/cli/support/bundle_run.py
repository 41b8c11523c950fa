"""One bundle of a tree, for commands that are about one."""

from typing import NamedTuple

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
from envtree.sources.single_bundle import SingleBundleTree
from envtree.sources.tree import DirectoryTree


class BundleRun(NamedTuple):
    """A bundle, and the run that computed it; `result` is None where something keeps it from being known."""

    tree: DirectoryTree
    run: Run
    result: BundleResult | None

    def report_errors(self, color: str) -> ExitCode:
        """Tell what keeps the bundle from being known; the exit code."""
        report = build_report(self.run.outcome())
        print_findings(self.tree, report, color)
        return exit_code_for(report.findings)


def compute_bundle(tree: DirectoryTree, id: str, inputs: dict[str, str], *, reveal: bool) -> BundleRun:
    """Compute one bundle, with its secrets in clear and all inputs if they are to be revealed.

    What is wrong elsewhere in the tree is no reason to be silent about this bundle, and is not even read; but nothing
    is decrypted then.
    """
    request = tree_request(
        tree if reveal else SingleBundleTree(tree, id),
        (),
        inputs,
        Environ(),
        decrypter_factory(tree) if reveal else None,
        require_inputs=reveal,
        # Whether there is such a bundle is asked here.
        allow_empty=True,
        restrict_ids=lambda _: frozenset({id}),
    )
    with start_run(request) as work:
        if work.workspace and id not in work.ids:
            # What else it may have been takes the whole tree.
            known = work.ids if reveal else Run(request._replace(tree=tree)).ids
            somewhere = [one for one in known if one.startswith(f"{id}@")]
            hint = f"name an environment too: {', '.join(somewhere)}" if somewhere else did_you_mean(id, known)
            raise usage_error(f"there is no bundle '{id}'", hint)
        before = len(work.diags)
        result = next(work.results(), None)
    broken = bool(work.severities.error_paths(work.diags.since(before))) or (reveal and work.error_monitor.has_errors())
    return BundleRun(tree, work, None if broken else result)
