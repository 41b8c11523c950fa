"""The secrets files of a tree, for people: one line for each."""

from envtree.diagnostics.summary import plural
from envtree.report.terminal_lines import BOLD, StyledLine, format_table, render_lines
from envtree.secrets.access.audit import Audit, AuditedFile

_HEADERS = ("file", "format", "readers", "secrets", "modified", "scope", "rule", "verdict")
_VERDICT_STYLES = {"error": "31", "warning": "33", "ok": ""}


def render_audit(audit: Audit, *, color: bool) -> str:
    """The table of all files; empty without one."""
    if not audit.files:
        return ""
    head, *lines = format_table([_HEADERS, *map(_file_row, audit.files)], right_aligned=frozenset({3}))
    rows = [StyledLine(text, _VERDICT_STYLES[file.verdict]) for text, file in zip(lines, audit.files, strict=True)]
    return render_lines([StyledLine(head, BOLD), *rows, StyledLine("")], color=color)


def audit_summary(audit: Audit) -> str:
    """How much was looked at."""
    secrets = plural(sum(file.secrets for file in audit.files), "secret")
    return f"audited {secrets} in {plural(len(audit.files), 'file')}"


def _file_row(file: AuditedFile) -> tuple[str, ...]:
    if not file.readable:
        return (file.path, file.format, "", "", "", "", _rule_location(file), file.verdict)
    groups = {one.group for one in file.readers}
    needed = f" ({file.threshold} of {len(groups)} groups)" if len(groups) > 1 else ""
    names = ", ".join(dict.fromkeys(one.label for one in file.readers))
    return (
        file.path,
        file.format,
        f"{names}{needed}",
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
