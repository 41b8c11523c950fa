"""`envtree tree`: the organization on stdout."""

import sys
from pathlib import Path
from typing import NamedTuple

from envtree.canonical import canonical
from envtree.cli.console import out
from envtree.cli.exits import Exit, verdict
from envtree.cli.progress import progress
from envtree.cli.work.session import Environ, Messages, open_tree, report_of, view_of
from envtree.pipeline import Request, Run
from envtree.report.tree import drawing, tree_data


class Options(NamedTuple):
    """The command line."""

    directory: Path
    form: str
    color: str


def run(options: Options) -> Exit:
    """Show the tree; one with errors is shown by its errors."""
    tree = open_tree(options.directory)
    with progress(sys.stderr) as told:
        outcome = Run(Request(tree, environ=Environ(), allow_empty=True, progress=told)).outcome()
    found = verdict(outcome.findings)
    if found or outcome.workspace is None:
        Messages(view_of(tree), "text", options.color, sys.stderr).tell(report_of(outcome))
        return found
    if options.form == "json":
        out(canonical(tree_data(outcome.workspace)))
    else:
        out(drawing(outcome.workspace, ascii_only=not _spells(sys.stdout.encoding)))
    return Exit.OK


def _spells(encoding: str) -> bool:
    try:
        "├└│─".encode(encoding)
    except UnicodeEncodeError:
        return False
    return True
