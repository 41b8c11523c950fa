"""The secrets files of a tree as a text table, one row each."""

from envtree.diagnostics.summary import plural
from envtree.report.terminal_lines import BOLD, StyledLine, format_table, render_lines
from envtree.secrets.access.audit import Audit, AuditedFile

_HEADERS = ("file", "format", "readers", "secrets", "modified", "scope", "rule", "verdict")
_VERDICT_STYLES = {"error": "31", "warning": "33", "ok": ""}


def render_audit(audit: Audit, *, color: bool) -> str:
    """Return the table of all files; empty without a file."""
    if not audit.files:
        return ""
    header, *lines = format_table([_HEADERS, *map(_file_row, audit.files)], right_aligned=frozenset({3}))
    rows = [StyledLine(text, _VERDICT_STYLES[file.verdict]) for text, file in zip(lines, audit.files, strict=True)]
    return render_lines([StyledLine(header, BOLD), *rows, StyledLine("")], color=color)


def audit_summary(audit: Audit) -> str:
    """Return how many secrets and files were audited, as a sentence."""
    secrets = plural(sum(file.secrets for file in audit.files), "secret")
    return f"audited {secrets} in {plural(len(audit.files), 'file')}"


def _file_row(file: AuditedFile) -> tuple[str, ...]:
    if not file.readable:
        return (file.path, file.format, "", "", "", "", _rule_location(file), file.verdict)
    groups = {reader.group for reader in file.readers}
    threshold_note = f" ({file.threshold} of {len(groups)} groups)" if len(groups) > 1 else ""
    names = ", ".join(dict.fromkeys(reader.label for reader in file.readers))
    return (
        file.path,
        file.format,
        f"{names}{threshold_note}",
        str(file.secrets),
        file.lastmodified[:10],
        file.scope,
        _rule_location(file),
        file.verdict + {True: ", opened", False: ", no key", None: ""}[file.opened],
    )


def _rule_location(file: AuditedFile) -> str:
    if file.rule is None:
        return "none"
    return f"{file.rule.path}:{file.rule.rule.span.line}" if file.rule.rule else f"none in {file.rule.path}"
