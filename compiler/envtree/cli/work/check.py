"""`envtree check`: findings on stdout, their number on stderr."""

import os
import sys
from pathlib import Path
from typing import NamedTuple

from envtree.cli.exits import Exit, verdict
from envtree.cli.work.session import Messages, open_tree, report_of, usage_errors
from envtree.pipeline import Request, check
from envtree.report import plural, tally


class Options(NamedTuple):
    """The command line."""

    directory: Path
    selectors: tuple[str, ...]
    form: str | None
    strict: bool
    allow_empty: bool
    inputs: dict[str, str]
    color: str
    verbose: bool


def run(options: Options) -> Exit:
    """Check the tree and tell what was found."""
    tree = open_tree(options.directory)
    messages = Messages(tree, options.form, options.color, sys.stdout, options.verbose)
    request = Request(tree, options.selectors, options.inputs, os.environ, allow_empty=options.allow_empty)
    with usage_errors(), messages.told():
        outcome = check(request)
    report = report_of(outcome)
    messages.tell(report)
    bundles = f"{plural(len(report.checked), 'bundle')} of {plural(report.agents, 'agent')}"
    messages.conclude(report, f"checked {bundles}: {tally(report)}")
    return verdict(outcome.findings, strict=options.strict)
