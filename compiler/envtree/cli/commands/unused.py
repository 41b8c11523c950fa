"""`envtree unused`: what the tree could do without, on stdout."""

from pathlib import Path
from typing import NamedTuple

from envtree.cli.support.console import err
from envtree.cli.support.exits import Exit, verdict
from envtree.cli.support.fleet import answer, refused
from envtree.cli.support.session import lines_of, open_tree, running
from envtree.engine.run import Request
from envtree.queries.fleet.to_json import unused_data
from envtree.queries.fleet.unused import TOLD, unused
from envtree.report import plural
from envtree.report.text import text


class Options(NamedTuple):
    """The command line."""

    directory: Path
    form: str
    strict: bool
    color: str


def run(options: Options) -> Exit:
    """Tell what nothing makes use of."""
    tree = open_tree(options.directory)
    with running(Request(tree, allow_empty=None)) as work:
        found = unused(work) if work.workspace else ()
    if refused(work, tree, options.color, TOLD):
        return Exit.FOUND
    answer(
        options.form,
        options.color,
        lambda: unused_data(found),
        lambda color: text(found, lines_of(tree), color=color),
    )
    if options.form == "text":
        err(
            f"{plural(len(found), 'finding') if found else 'nothing unused'} in {plural(len(work.checked), 'bundle')}\n"
        )
    return Exit.FOUND if options.strict and found else verdict(found)
