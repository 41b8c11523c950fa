"""`envtree diff`: what differs between two trees, on stdout."""

import re
import sys
from pathlib import Path
from typing import NamedTuple

from envtree.cli.console import colored, err, out, painted
from envtree.cli.exits import Exit, verdict
from envtree.cli.options import is_text, usage_error
from envtree.cli.progress import progress
from envtree.cli.work.reports import View
from envtree.cli.work.session import Environ, Messages, report_of, usage_errors, view_of
from envtree.cli.work.sides import Sides, sides
from envtree.diff import Diff, Named, diff
from envtree.diff.document import diff_data
from envtree.pipeline import Memory, Request, Run
from envtree.report import plural
from envtree.report.changes import changes_text, sentence
from envtree.report.document import json_document
from envtree.selector import selector
from envtree.tree import DirectoryTree, Tree

# Another way to say which bundles are protected: the environment first.
_ENVIRONMENT_FIRST = re.compile(r"([^:@/]+):([^:@]+)")


class Options(NamedTuple):
    """The command line."""

    directory: Path
    base: str
    head: str | None
    merge_base: bool
    selectors: tuple[str, ...]
    protected: tuple[str, ...]
    form: str
    detailed: bool
    inputs: dict[str, str]
    color: str
    verbose: bool


def run(options: Options) -> Exit:
    """Compare two trees and tell what differs."""
    for text in (*options.selectors, *options.protected):
        if not is_text(text):
            raise usage_error("a selector is text in UTF-8", "")
    trees = sides(options.directory, options.base, options.head, common=options.merge_base)
    memory: Memory = {}
    with usage_errors(), progress(sys.stderr) as told:
        asked = Request(trees.base, options.selectors, options.inputs, Environ(), allow_empty=True, memory=memory)
        base, head = (Run(asked._replace(tree=tree, progress=told)) for tree in (trees.base, trees.head))
        _check(head, base, trees, options)
        if head.workspace is None:
            return _tell_errors(head, trees.head, options)
        found = diff(Named(trees.base_name, base), Named(trees.head_name, head))
    guarded = protected(found, options.protected)
    _tell(found, guarded, options)
    if found.errors:
        err(f"{trees.head_name} has errors\n")
    if found.errors or guarded:
        return Exit.FOUND
    return Exit.DIFFERENT if options.detailed and not found.empty else Exit.OK


def protected(found: Diff, patterns: tuple[str, ...]) -> tuple[str, ...]:
    """The bundles that differ, or may, and that nobody should touch unnoticed."""
    if not patterns:
        return ()
    return tuple(filter(selector([_ENVIRONMENT_FIRST.sub(r"\2@\1", one) for one in patterns]), found.touched))


def _check(head: Run, base: Run, trees: Sides, options: Options) -> None:
    """A selector that selects nothing on either side is a mistake."""
    known = {*base.ids, *head.ids}
    for one in options.selectors:
        if not any(map(selector([one]), known)):
            raise usage_error(f"selector '{one}' matches no bundle, neither of {trees.base_name} nor of the head", "")


def _tell(found: Diff, guarded: tuple[str, ...], options: Options) -> None:
    if options.form == "json":
        out(json_document(diff_data(found, guarded)))
    elif options.form == "markdown":
        from envtree.report.markdown import markdown  # noqa: PLC0415 -- most runs are read in a terminal

        out(markdown(found, guarded).encode())
    else:
        painted(sys.stdout, changes_text(found, color=colored(sys.stdout, options.color), whole=options.verbose))
        err(f"{sentence(found)}\n")
    if guarded:
        err(f"{plural(len(guarded), 'protected bundle')} would change, the first '{guarded[0]}'\n")


def _tell_errors(run: Run, tree: Tree, options: Options) -> Exit:
    report = report_of(run.outcome())
    view = view_of(tree) if isinstance(tree, DirectoryTree) else View()
    Messages(view, "text", options.color, sys.stderr).tell(report)
    return verdict(report.findings)
