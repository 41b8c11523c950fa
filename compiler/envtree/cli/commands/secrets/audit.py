"""`envtree secrets audit`: a table of the secrets files and what is wrong with them, on stdout."""

import sys
from pathlib import Path
from typing import NamedTuple

from envtree.cli.support.exits import ExitCode, exit_code_for
from envtree.cli.support.session import (
    build_report,
    decrypter_factory,
    open_tree,
    print_findings,
    source_line_reader,
    start_run,
    tree_request,
)
from envtree.diagnostics.codes import is_read_failure
from envtree.diagnostics.printable_documents import json_document
from envtree.diagnostics.summary import RunReport, count_summary, plural
from envtree.model.tree_layout import ROOT_FILE
from envtree.report.audit import audit_summary, render_audit
from envtree.report.text import render_text
from envtree.secrets.access.audit import Audit, audit_secrets, try_decrypt_all
from envtree.secrets.access.to_json import audit_data
from envtree.sources.tree import DirectoryTree
from envtree.system.console import err, out, should_color, write_styled


class SecretsAuditOptions(NamedTuple):
    """The command line."""

    directory: Path
    decrypt: bool
    form: str
    strict: bool
    color: str


def run(options: SecretsAuditOptions) -> ExitCode:
    """Audit the tree."""
    tree = open_tree(options.directory)
    with start_run(tree_request(tree, allow_empty=True)) as work:
        for _ in work.bundles():
            pass
    report = build_report(work.outcome())
    # Without what the organization says no file is right or wrong.
    unread = tuple(
        one for one in report.findings if one.diagnostic.span.path == ROOT_FILE and is_read_failure(one.diagnostic.code)
    )
    if work.workspace is None or unread:
        report = report._replace(findings=unread or report.findings)
        print_findings(tree, report, options.color)
        return exit_code_for(report.findings)
    # A tree with an error in it is worth no key.
    spared = options.decrypt and work.error_monitor.has_errors()
    opened = {}
    if options.decrypt and not spared:
        opened = try_decrypt_all(work, decrypter_factory(tree)(work.workspace.organization.secrets_policy))
    found = audit_secrets(work, opened)
    _write_answer(found, options, tree)
    if spared:
        err("nothing was decrypted: the tree has errors\n")
    if found.other_errors:
        are = "is" if found.other_errors == 1 else "are"
        err(f"there {are} {plural(found.other_errors, 'other error')} in the tree, 'envtree check' tells them\n")
    result = exit_code_for(found.findings, strict=options.strict)
    return ExitCode.FAILURE if found.other_errors else result


def _write_answer(found: Audit, options: SecretsAuditOptions, tree: DirectoryTree) -> None:
    if options.form == "json":
        out(json_document(audit_data(found)))
        return
    color = should_color(sys.stdout, options.color)
    write_styled(
        sys.stdout,
        render_audit(found, color=color) + render_text(found.findings, source_line_reader(tree), color=color),
    )
    closed = sum(file.opened is False for file in found.files)
    unopened = f", no key opens {plural(closed, 'file')}" if closed else ""
    err(f"{audit_summary(found)}: {count_summary(RunReport(found.findings))}{unopened}\n")
