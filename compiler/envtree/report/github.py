"""Findings as GitHub's workflow commands, which it shows next to the lines of a pull request."""

from collections.abc import Iterable, Iterator

from envtree.diagnostics.findings import Finding
from envtree.diagnostics.summary import finding_sentences, plural, repository_path
from envtree.model.diagnostic import Severity
from envtree.model.tree_layout import escape_unprintable

# GitHub shows at most 10 annotations of a kind per step, and cuts longer messages.
_MAX_ANNOTATIONS = 10
_MAX_MESSAGE_LENGTH = 4096
_ANNOTATION_KINDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


def render_github(findings: Iterable[Finding], prefix: str) -> str:
    """Return one command a line; `prefix` is the tree's path in the repository, empty or with a final `/`."""
    all_findings = list(findings)
    return "".join(
        f"{line}\n" for severity in _ANNOTATION_KINDS for line in _severity_lines(severity, all_findings, prefix)
    )


def _severity_lines(severity: Severity, findings: list[Finding], prefix: str) -> Iterator[str]:
    matching = [finding for finding in findings if finding.severity is severity]
    for finding in matching[:_MAX_ANNOTATIONS]:
        yield _command(finding, prefix)
    if len(matching) > _MAX_ANNOTATIONS:
        # Plain text, because another command would exceed the limit.
        yield f"and {plural(len(matching) - _MAX_ANNOTATIONS, f'more {_ANNOTATION_KINDS[severity]}')}"


def _command(finding: Finding, prefix: str) -> str:
    properties = ",".join(f"{name}={_escape_property(value)}" for name, value in _properties(finding, prefix).items())
    return f"::{_ANNOTATION_KINDS[finding.severity]} {properties}::{_escape_data(_message(finding))}"


def _properties(finding: Finding, prefix: str) -> dict[str, str]:
    span, title = finding.diagnostic.span, {"title": f"envtree {finding.diagnostic.code}"}
    if not span.path:
        return title
    file = repository_path(prefix, span.path)
    location = {"file": file, "line": span.line, "col": span.column, "endLine": span.end_line}
    # GitHub drops an end column that is on another line than the start.
    if span.line == span.end_line:
        location["endColumn"] = span.end_column
    return {name: str(value) for name, value in location.items()} | title


def _message(finding: Finding) -> str:
    # A third, because escaping may triple the length.
    return "\n".join(map(escape_unprintable, finding_sentences(finding)))[: _MAX_MESSAGE_LENGTH // 3]


def _escape_data(text: str) -> str:
    return text.replace("%", "%25").replace("\n", "%0A")


def _escape_property(text: str) -> str:
    return escape_unprintable(text).replace("%", "%25").replace(":", "%3A").replace(",", "%2C")
