"""`envtree secrets audit`: a table of the secrets files and what is wrong with them, on stdout."""

import sys
from pathlib import Path
from typing import NamedTuple

from envtree.cli.support.console import colored, err, out, painted
from envtree.cli.support.exits import Exit, verdict
from envtree.cli.support.session import decrypter, lines_of, open_tree, report_of, running, tell
from envtree.diagnostics.codes import is_unread
from envtree.diagnostics.printable_documents import json_document
from envtree.engine.run import Request
from envtree.model.tree_layout import ROOT_FILE
from envtree.report import Report, plural, tally
from envtree.report.audit import audit_summary, audit_text
from envtree.report.text import text
from envtree.secrets.access.audit import Audit, audit, open_all
from envtree.secrets.access.to_json import audit_data
from envtree.sources.tree import DirectoryTree


class Options(NamedTuple):
    """The command line."""

    directory: Path
    decrypt: bool
    form: str
    strict: bool
    color: str


def run(options: Options) -> Exit:
    """Audit the tree."""
    tree = open_tree(options.directory)
    with running(Request(tree, allow_empty=True)) as work:
        for _ in work.bundles():
            pass
    report = report_of(work.outcome())
    # Without what the organization says no file is right or wrong.
    unread = tuple(
        one for one in report.findings if one.diagnostic.span.path == ROOT_FILE and is_unread(one.diagnostic.code)
    )
    if work.workspace is None or unread:
        report = report._replace(findings=unread or report.findings)
        tell(tree, report, options.color)
        return verdict(report.findings)
    # A tree with an error in it is worth no key.
    spared = options.decrypt and work.watch.found()
    opened = {}
    if options.decrypt and not spared:
        opened = open_all(work, decrypter(tree)(work.workspace.organization.secrets_policy))
    found = audit(work, opened)
    _answer(found, options, tree)
    if spared:
        err("nothing was decrypted: the tree has errors\n")
    if found.others:
        are = "is" if found.others == 1 else "are"
        err(f"there {are} {plural(found.others, 'other error')} in the tree, 'envtree check' tells them\n")
    result = verdict(found.findings, strict=options.strict)
    return Exit.FOUND if found.others else result


def _answer(found: Audit, options: Options, tree: DirectoryTree) -> None:
    if options.form == "json":
        out(json_document(audit_data(found)))
        return
    color = colored(sys.stdout, options.color)
    painted(sys.stdout, audit_text(found, color=color) + text(found.findings, lines_of(tree), color=color))
    closed = sum(file.opened is False for file in found.files)
    unopened = f", no key opens {plural(closed, 'file')}" if closed else ""
    err(f"{audit_summary(found)}: {tally(Report(found.findings))}{unopened}\n")
