"""Implementation of `envtree secrets audit`: a table of the secrets files and their problems, on stdout."""

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
    """The parameters of the command."""

    directory: Path
    decrypt: bool
    form: str
    strict: bool
    color: str


def run(options: SecretsAuditOptions) -> ExitCode:
    """Audit the secrets files of the tree."""
    tree = open_tree(options.directory)
    with start_run(tree_request(tree, allow_empty=True)) as run:
        for _ in run.bundles():
            pass
    report = build_report(run.outcome())
    # Secrets files cannot be judged without organization.yaml.
    unread = tuple(
        finding
        for finding in report.findings
        if finding.diagnostic.span.path == ROOT_FILE and is_read_failure(finding.diagnostic.code)
    )
    if run.workspace is None or unread:
        report = report._replace(findings=unread or report.findings)
        print_findings(tree, report, options.color)
        return exit_code_for(report.findings)
    # Never ask for a key for a tree with errors.
    not_decrypted = options.decrypt and run.error_monitor.has_errors()
    decryptable = {}
    if options.decrypt and not not_decrypted:
        decryptable = try_decrypt_all(run, decrypter_factory(tree)(run.workspace.organization.secrets_policy))
    audit = audit_secrets(run, decryptable)
    _write_answer(audit, options, tree)
    if not_decrypted:
        err("nothing was decrypted: the tree has errors\n")
    if audit.other_errors:
        verb = "is" if audit.other_errors == 1 else "are"
        err(f"there {verb} {plural(audit.other_errors, 'other error')} in the tree, 'envtree check' tells them\n")
    code = exit_code_for(audit.findings, strict=options.strict)
    return ExitCode.FAILURE if audit.other_errors else code


def _write_answer(audit: Audit, options: SecretsAuditOptions, tree: DirectoryTree) -> None:
    if options.form == "json":
        out(json_document(audit_data(audit)))
        return
    color = should_color(sys.stdout, options.color)
    write_styled(
        sys.stdout,
        render_audit(audit, color=color) + render_text(audit.findings, source_line_reader(tree), color=color),
    )
    closed = sum(file.opened is False for file in audit.files)
    unopened = f", no key opens {plural(closed, 'file')}" if closed else ""
    err(f"{audit_summary(audit)}: {count_summary(RunReport(audit.findings))}{unopened}\n")
