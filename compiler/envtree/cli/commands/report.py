"""Implementation of `envtree report`: the tree as one HTML file."""

import sys
from pathlib import Path
from typing import NamedTuple

from envtree.cli.support.compared_trees import ComparedTrees, open_compared_trees
from envtree.cli.support.exits import ExitCode, exit_code_for
from envtree.cli.support.options import usage_error
from envtree.cli.support.report_output import RenderOptions, check_report_path, replace_report
from envtree.cli.support.session import (
    Environ,
    ReportPrinter,
    build_report,
    make_render_options,
    open_tree,
    start_run,
    tree_request,
)
from envtree.diagnostics.printable import printable
from envtree.diagnostics.summary import count_summary, plural
from envtree.engine.request import Request, RunOutcome
from envtree.frontend.read_files import DocumentCache
from envtree.queries.diff import Diff, LabelledTree, diff
from envtree.report.html import render_html
from envtree.sources.tree import DirectoryTree, Tree
from envtree.system.console import err, out

_STDOUT = Path("-")


class ReportOptions(NamedTuple):
    """The parameters of the command."""

    directory: Path
    output: Path
    base: str | None
    head: str | None
    merge_base: bool
    selectors: tuple[str, ...]
    inputs: dict[str, str]
    color: str


def run(options: ReportOptions) -> ExitCode:
    """Write the page, also for a tree with errors."""
    trees = _open_trees(options)
    _check_output_path(options.output, trees)
    document_cache: DocumentCache = {}
    request = tree_request(
        trees.head,
        selectors=options.selectors,
        inputs=options.inputs,
        environ=Environ(),
        document_cache=document_cache,
        allow_empty=None,
    )
    with start_run(request) as run:
        differences = _compare_trees(request, trees) if options.base is not None and run.workspace else None
        page = render_html(run, differences)
    if options.output == _STDOUT:
        out(page)
    else:
        replace_report(options.output, page)
    return _report_outcome(run.outcome(), trees.head, page, options)


def _open_trees(options: ReportOptions) -> ComparedTrees:
    if options.base is not None:
        return open_compared_trees(options.directory, options.base, options.head, use_merge_base=options.merge_base)
    if options.merge_base:
        raise usage_error("--merge-base needs a revision to compare with", "name BASE")
    tree = open_tree(options.directory)
    return ComparedTrees(tree, tree, "", "")


def _check_output_path(output: Path, trees: ComparedTrees) -> None:
    for tree in (trees.base, trees.head):
        if output != _STDOUT and isinstance(tree, DirectoryTree):
            check_report_path(output, tree.root, "'-o -' prints the page")


def _compare_trees(request: Request, trees: ComparedTrees) -> Diff:
    """Compare with the base; this takes two further runs, which share the parsed files."""
    request = request._replace(allow_empty=True, allow_undeclared_inputs=True)
    base, head = (request._replace(tree=tree) for tree in (trees.base, trees.head))
    return diff(LabelledTree(trees.base_name, base), LabelledTree(trees.head_name, head))


def _report_outcome(outcome: RunOutcome, tree: Tree, page: bytes, options: ReportOptions) -> ExitCode:
    report = build_report(outcome)
    code = exit_code_for(report.findings)
    if code:
        render_options = make_render_options(tree) if isinstance(tree, DirectoryTree) else RenderOptions()
        ReportPrinter(render_options, "text", options.color, sys.stderr).print_report(report)
    name = "the page" if options.output == _STDOUT else f"'{options.output}'"
    size = f"{len(page) / 1000:,.0f} kB"
    err(
        printable(
            f"wrote {name} ({size}) about {plural(len(report.checked_bundles), 'bundle')}: {count_summary(report)}"
        )
        + "\n"
    )
    return code
