"""Implementation of `envtree tree`: the structure of the organization on stdout."""

import sys
from pathlib import Path
from typing import NamedTuple

from envtree.cli.support.exits import ExitCode
from envtree.cli.support.query_answer import report_incompleteness
from envtree.cli.support.session import open_tree, start_run, tree_request
from envtree.model.canonical_json import encode_canonical
from envtree.model.workspace import Workspace
from envtree.report.dot import render_dot
from envtree.report.mermaid import render_mermaid
from envtree.report.tree import RANKED_NOUNS, build_tree_graph, render_tree_text, tree_to_json
from envtree.system.console import out


class TreeOptions(NamedTuple):
    """The parameters of the command."""

    directory: Path
    form: str
    color: str


def run(options: TreeOptions) -> ExitCode:
    """Print the tree, and its errors if it has any."""
    tree = open_tree(options.directory)
    with start_run(tree_request(tree, allow_empty=True)) as run:
        pass
    code = report_incompleteness(run, tree, options.color)
    if run.workspace is not None:
        out(_render_tree(run.workspace, options.form))
    return code


def _render_tree(workspace: Workspace, form: str) -> str | bytes:
    if form == "json":
        return encode_canonical(tree_to_json(workspace))
    if form == "mermaid":
        return render_mermaid(build_tree_graph(workspace)).encode()
    if form == "dot":
        return render_dot(build_tree_graph(workspace), RANKED_NOUNS).encode()
    return render_tree_text(workspace, ascii_only=not _can_encode(sys.stdout.encoding))


def _can_encode(encoding: str) -> bool:
    try:
        "├└│─".encode(encoding)
    except UnicodeEncodeError:
        return False
    return True
