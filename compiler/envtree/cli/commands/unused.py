"""Implementation of `envtree unused`: values, files and declarations that the tree does not need, on stdout."""

from pathlib import Path
from typing import NamedTuple

from envtree.cli.support.exits import ExitCode, exit_code_for
from envtree.cli.support.query_answer import report_blocking_errors, write_answer
from envtree.cli.support.session import open_tree, source_line_reader, start_run, tree_request
from envtree.diagnostics.codes import Topic, codes_about
from envtree.diagnostics.summary import plural
from envtree.queries.fleet.to_json import unused_data
from envtree.queries.fleet.unused import unused
from envtree.report.text import render_text
from envtree.system.console import err


class UnusedOptions(NamedTuple):
    """The parameters of the command."""

    directory: Path
    form: str
    strict: bool
    color: str


def run(options: UnusedOptions) -> ExitCode:
    """Report everything that no bundle uses."""
    tree = open_tree(options.directory)
    with start_run(tree_request(tree, allow_empty=None)) as run:
        findings = unused(run) if run.workspace else ()
    if report_blocking_errors(run, tree, options.color, codes_about(Topic.UNUSED)):
        return ExitCode.FAILURE
    write_answer(
        options.form,
        options.color,
        lambda: unused_data(findings),
        lambda color: render_text(findings, source_line_reader(tree), color=color),
    )
    if options.form == "text":
        count = plural(len(findings), "finding") if findings else "nothing unused"
        err(f"{count} in {plural(len(run.checked), 'bundle')}\n")
    return ExitCode.FAILURE if options.strict and findings else exit_code_for(findings)
