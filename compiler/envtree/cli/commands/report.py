"""`envtree report`: the tree as one HTML file."""

import sys
from pathlib import Path
from typing import NamedTuple

from envtree.cli.support.compared_trees import Sides, sides
from envtree.cli.support.console import err, out
from envtree.cli.support.exits import Exit, verdict
from envtree.cli.support.options import usage_error
from envtree.cli.support.reports import View, fit_place, put
from envtree.cli.support.session import Environ, Messages, open_tree, report_of, running, view_of
from envtree.diagnostics.printable import printable
from envtree.engine.run import Outcome, Request
from envtree.frontend.read_files import Memory
from envtree.queries.diff import Diff, Named, diff
from envtree.report import plural, tally
from envtree.report.html import html
from envtree.sources.tree import DirectoryTree, Tree

_STDOUT = Path("-")


class Options(NamedTuple):
    """The command line."""

    directory: Path
    output: Path
    base: str | None
    head: str | None
    merge_base: bool
    selectors: tuple[str, ...]
    inputs: dict[str, str]
    color: str


def run(options: Options) -> Exit:
    """Write the page, whatever is found."""
    trees = _trees(options)
    _check_place(options.output, trees)
    memory: Memory = {}
    asked = Request(trees.head, options.selectors, options.inputs, Environ(), memory=memory, allow_empty=None)
    with running(asked) as work:
        page = html(work, _difference(asked, trees) if options.base is not None and work.workspace else None)
    if options.output == _STDOUT:
        out(page)
    else:
        put(options.output, page)
    return _conclude(work.outcome(), trees.head, page, options)


def _trees(options: Options) -> Sides:
    if options.base is not None:
        return sides(options.directory, options.base, options.head, common=options.merge_base)
    if options.merge_base:
        raise usage_error("--merge-base needs a revision to compare with", "name BASE")
    tree = open_tree(options.directory)
    return Sides(tree, tree, "", "")


def _check_place(output: Path, trees: Sides) -> None:
    for tree in (trees.base, trees.head):
        if output != _STDOUT and isinstance(tree, DirectoryTree):
            fit_place(output, tree.root, "'-o -' prints the page")


def _difference(asked: Request, trees: Sides) -> Diff:
    """What differs from the base; it takes runs of its own, but no file is read twice."""
    asked = asked._replace(allow_empty=True, inputs_shared=True)
    base, head = (asked._replace(tree=tree) for tree in (trees.base, trees.head))
    return diff(Named(trees.base_name, base), Named(trees.head_name, head))


def _conclude(outcome: Outcome, tree: Tree, page: bytes, options: Options) -> Exit:
    report = report_of(outcome)
    found = verdict(report.findings)
    if found:
        view = view_of(tree) if isinstance(tree, DirectoryTree) else View()
        Messages(view, "text", options.color, sys.stderr).tell(report)
    name = "the page" if options.output == _STDOUT else f"'{options.output}'"
    size = f"{len(page) / 1000:,.0f} kB"
    err(printable(f"wrote {name} ({size}) about {plural(len(report.checked), 'bundle')}: {tally(report)}") + "\n")
    return found
