"""`envtree tree`: the organization on stdout."""

import sys
from pathlib import Path
from typing import NamedTuple

from envtree.cli.support.console import out
from envtree.cli.support.exits import Exit, verdict
from envtree.cli.support.session import open_tree, report_of, running, tell
from envtree.engine.run import Request
from envtree.model.canonical_json import canonical
from envtree.model.workspace import Workspace
from envtree.report.dot import dot
from envtree.report.mermaid import mermaid
from envtree.report.tree import RANKS, drawing, tree_data, tree_graph


class Options(NamedTuple):
    """The command line."""

    directory: Path
    form: str
    color: str


def run(options: Options) -> Exit:
    """Show the tree; one with errors is shown by its errors."""
    tree = open_tree(options.directory)
    with running(Request(tree, allow_empty=True)) as work:
        outcome = work.outcome()
    found = verdict(outcome.findings)
    if found or outcome.workspace is None:
        tell(tree, report_of(outcome), options.color)
        return found
    out(_drawn(outcome.workspace, options.form))
    return Exit.OK


def _drawn(workspace: Workspace, form: str) -> str | bytes:
    if form == "json":
        return canonical(tree_data(workspace))
    if form == "mermaid":
        return mermaid(tree_graph(workspace)).encode()
    if form == "dot":
        return dot(tree_graph(workspace), RANKS).encode()
    return drawing(workspace, ascii_only=not _spells(sys.stdout.encoding))


def _spells(encoding: str) -> bool:
    try:
        "├└│─".encode(encoding)
    except UnicodeEncodeError:
        return False
    return True
