"""Shared by the queries over all bundles: require a tree without errors, and write the answer as text or JSON."""

import sys
from collections.abc import Callable
from typing import Any

from envtree.cli.support.exits import ExitCode
from envtree.cli.support.session import build_report, print_findings
from envtree.diagnostics.printable_documents import json_document
from envtree.diagnostics.summary import plural
from envtree.engine.run import Run
from envtree.model.diagnostic import Severity
from envtree.report.bundle_summary import summarize_bundles
from envtree.sources.tree import DirectoryTree
from envtree.system.console import err, out, should_color, write_styled


def report_blocking_errors(
    run: Run, tree: DirectoryTree, color: str, answer_codes: frozenset[str] = frozenset()
) -> bool:
    """Report the errors of a tree and return whether they prevent an answer; errors in `answer_codes` do not."""
    outcome = run.outcome()
    errors = tuple(finding for finding in outcome.findings if finding.severity is Severity.ERROR)
    if run.workspace is not None and all(finding.diagnostic.code in answer_codes for finding in errors):
        return False
    # Warnings do not prevent an answer and are not printed.
    print_findings(tree, build_report(outcome._replace(findings=errors)), color)
    return True


def report_incompleteness(
    run: Run, tree: DirectoryTree, color: str, answer_codes: frozenset[str] = frozenset()
) -> ExitCode:
    """Report the errors of a tree, and how much they take from an answer about what is sound.

    Return the exit code for the answer. There is no answer to give without a workspace or a selected bundle.
    """
    if not report_blocking_errors(run, tree, color, answer_codes):
        return ExitCode.OK
    checked = frozenset(run.checked)
    lacking = [id for id in run.selected if id not in checked]
    if run.workspace is None or not run.selected:
        return ExitCode.FAILURE
    if not run.checked:
        err("the answer is about what is sound, and may be incomplete\n")
    elif lacking:
        err(f"the answer lacks {len(lacking)} of {plural(len(run.selected), 'bundle')}: {summarize_bundles(lacking)}\n")
    return ExitCode.FAILURE


def has_answer(run: Run, code: ExitCode) -> bool:
    """Whether there is anything to answer about: a tree without bundles is, unless it is for errors."""
    return run.workspace is not None and (code is ExitCode.OK or bool(run.selected))


def write_answer(form: str, color: str, data: Callable[[], Any], text: Callable[[bool], str]) -> ExitCode:
    """Write the answer as JSON, or as text; `text` takes whether to use colours."""
    if form == "json":
        out(json_document(data()))
    else:
        write_styled(sys.stdout, text(should_color(sys.stdout, color)))
    return ExitCode.OK
