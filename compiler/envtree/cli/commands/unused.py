"""`envtree unused`: what the tree could do without, on stdout."""

from pathlib import Path
from typing import NamedTuple

from envtree.cli.support.exits import ExitCode, exit_code_for
from envtree.cli.support.query_answer import report_blocking_errors, write_answer
from envtree.cli.support.session import open_tree, source_line_reader, start_run, tree_request
from envtree.diagnostics.summary import plural
from envtree.queries.fleet.to_json import unused_data
from envtree.queries.fleet.unused import UNUSED_QUERY_CODES, unused
from envtree.report.text import render_text
from envtree.system.console import err


class UnusedOptions(NamedTuple):
    """The command line."""

    directory: Path
    form: str
    strict: bool
    color: str


def run(options: UnusedOptions) -> ExitCode:
    """Tell what nothing makes use of."""
    tree = open_tree(options.directory)
    with start_run(tree_request(tree, allow_empty=None)) as work:
        found = unused(work) if work.workspace else ()
    if report_blocking_errors(work, tree, options.color, UNUSED_QUERY_CODES):
        return ExitCode.FAILURE
    write_answer(
        options.form,
        options.color,
        lambda: unused_data(found),
        lambda color: render_text(found, source_line_reader(tree), color=color),
    )
    if options.form == "text":
        err(
            f"{plural(len(found), 'finding') if found else 'nothing unused'} in {plural(len(work.checked), 'bundle')}\n"
        )
    return ExitCode.FAILURE if options.strict and found else exit_code_for(found)
