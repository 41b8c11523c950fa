"""Implementation of `envtree list`: ids of bundles on stdout."""

from pathlib import Path
from typing import NamedTuple

from envtree.cli.support.exits import ExitCode
from envtree.cli.support.query_answer import has_answer, report_incompleteness
from envtree.cli.support.session import open_tree, start_run, tree_request
from envtree.system.console import out


class ListOptions(NamedTuple):
    """The parameters of the command."""

    directory: Path
    selectors: tuple[str, ...]
    color: str


def run(options: ListOptions) -> ExitCode:
    """Print the ids, and the errors that leave some of them uncertain."""
    tree = open_tree(options.directory)
    with start_run(tree_request(tree, options.selectors, allow_empty=None)) as run:
        ids = sorted(run.selected) if run.workspace else []
    code = report_incompleteness(run, tree, options.color)
    if has_answer(run, code):
        out("".join(f"{id}\n" for id in ids))
    return code
