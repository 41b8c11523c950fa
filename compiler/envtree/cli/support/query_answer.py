"""What the questions about all bundles have in common: a tree without errors, and an answer in the form asked for."""

import sys
from collections.abc import Callable
from typing import Any

from envtree.cli.support.exits import ExitCode
from envtree.cli.support.session import build_report, print_findings
from envtree.diagnostics.printable_documents import json_document
from envtree.engine.run import Run
from envtree.model.diagnostic import Severity
from envtree.sources.tree import DirectoryTree
from envtree.system.console import out, should_color, write_styled


def report_blocking_errors(
    run: Run, tree: DirectoryTree, color: str, answer_codes: frozenset[str] = frozenset()
) -> bool:
    """Whether a tree has errors, and so no answer: they are told. Findings of the `told` codes are the answer."""
    outcome = run.outcome()
    errors = tuple(one for one in outcome.findings if one.severity is Severity.ERROR)
    if run.workspace is not None and all(one.diagnostic.code in answer_codes for one in errors):
        return False
    # What is no error keeps nobody from an answer.
    print_findings(tree, build_report(outcome._replace(findings=errors)), color)
    return True


def write_answer(form: str, color: str, data: Callable[[], Any], text: Callable[[bool], str]) -> ExitCode:
    """Write the answer as JSON, or as text in colours or without."""
    if form == "json":
        out(json_document(data()))
    else:
        write_styled(sys.stdout, text(should_color(sys.stdout, color)))
    return ExitCode.OK
