"""One bundle of a tree, for commands that are about one."""

from typing import NamedTuple

from envtree.cli.support.exits import Exit, verdict
from envtree.cli.support.options import usage_error
from envtree.cli.support.session import Environ, decrypter, report_of, running, tell
from envtree.diagnostics.suggest import did_you_mean
from envtree.engine.run import Request, Result, Run
from envtree.sources.single_bundle import NarrowTree
from envtree.sources.tree import DirectoryTree


class Single(NamedTuple):
    """A bundle, and the run that computed it; `result` is None where something keeps it from being known."""

    tree: DirectoryTree
    work: Run
    result: Result | None

    def tell(self, color: str) -> Exit:
        """Tell what keeps the bundle from being known; the exit code."""
        report = report_of(self.work.outcome())
        tell(self.tree, report, color)
        return verdict(report.findings)


def single(tree: DirectoryTree, id: str, inputs: dict[str, str], *, reveal: bool) -> Single:
    """Compute one bundle, with its secrets in clear and all inputs if they are to be revealed.

    What is wrong elsewhere in the tree is no reason to be silent about this bundle, and is not even read; but nothing
    is decrypted then.
    """
    request = Request(
        tree if reveal else NarrowTree(tree, id),
        (),
        inputs,
        Environ(),
        decrypter(tree) if reveal else None,
        inputs_required=reveal,
        # Whether there is such a bundle is asked here.
        allow_empty=True,
        within=lambda _: frozenset({id}),
    )
    with running(request) as work:
        if work.workspace and id not in work.ids:
            # What else it may have been takes the whole tree.
            known = work.ids if reveal else Run(request._replace(tree=tree)).ids
            somewhere = [one for one in known if one.startswith(f"{id}@")]
            hint = f"name an environment too: {', '.join(somewhere)}" if somewhere else did_you_mean(id, known)
            raise usage_error(f"there is no bundle '{id}'", hint)
        before = len(work.diags)
        result = next(work.results(), None)
    broken = bool(work.severities.errors(work.diags.since(before))) or (reveal and work.watch.found())
    return Single(tree, work, None if broken else result)
