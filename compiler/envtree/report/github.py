"""Findings as GitHub's workflow commands, which it shows beside the lines of a pull request."""

from collections.abc import Iterable, Iterator

from envtree.diagnostics.findings import Finding
from envtree.diagnostics.summary import finding_sentences, plural, repository_path
from envtree.model.diagnostic import Severity
from envtree.model.tree_layout import escape_unprintable

# GitHub shows no more than these of one kind from one step, and cuts longer messages.
_MAX_ANNOTATIONS = 10
_MAX_MESSAGE_LENGTH = 4096
_ANNOTATION_KINDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


def render_github(findings: Iterable[Finding], prefix: str) -> str:
    """One command a line; `prefix` leads from the repository's root to the tree's, and is empty or ends in `/`."""
    found = list(findings)
    return "".join(f"{line}\n" for severity in _ANNOTATION_KINDS for line in _severity_lines(severity, found, prefix))


def _severity_lines(severity: Severity, findings: list[Finding], prefix: str) -> Iterator[str]:
    mine = [finding for finding in findings if finding.severity is severity]
    for finding in mine[:_MAX_ANNOTATIONS]:
        yield _command(finding, prefix)
    if len(mine) > _MAX_ANNOTATIONS:
        # Not a command, for it would be the one too many.
        yield f"and {plural(len(mine) - _MAX_ANNOTATIONS, f'more {_ANNOTATION_KINDS[severity]}')}"


def _command(finding: Finding, prefix: str) -> str:
    properties = ",".join(f"{name}={_escape_property(value)}" for name, value in _properties(finding, prefix).items())
    return f"::{_ANNOTATION_KINDS[finding.severity]} {properties}::{_escape_data(_message(finding))}"


def _properties(finding: Finding, prefix: str) -> dict[str, str]:
    span, title = finding.diagnostic.span, {"title": f"envtree {finding.diagnostic.code}"}
    if not span.path:
        return title
    file = repository_path(prefix, span.path)
    place = {"file": file, "line": span.line, "col": span.column, "endLine": span.end_line}
    # GitHub drops an end column that is on another line than the start.
    if span.line == span.end_line:
        place["endColumn"] = span.end_column
    return {name: str(value) for name, value in place.items()} | title


def _message(finding: Finding) -> str:
    # A third, for escaping makes up to three characters of one.
    return "\n".join(map(escape_unprintable, finding_sentences(finding)))[: _MAX_MESSAGE_LENGTH // 3]


def _escape_data(text: str) -> str:
    return text.replace("%", "%25").replace("\n", "%0A")


def _escape_property(text: str) -> str:
    return escape_unprintable(text).replace("%", "%25").replace(":", "%3A").replace(",", "%2C")
