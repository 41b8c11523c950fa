"""The number of findings of each code."""

from collections.abc import Iterable

from envtree.diagnostics.findings import Finding
from envtree.diagnostics.summary import count_by_code
from envtree.report.terminal_lines import format_table


def render_statistics(findings: Iterable[Finding]) -> str:
    """Return a line for each code, the most frequent first; `[*]` marks codes that `--fix` may correct."""
    rows = [
        [str(entry.count), entry.code, entry.severity, "[*]" if entry.fixable else "", entry.title]
        for entry in count_by_code(findings)
    ]
    return "".join(f"{line}\n" for line in format_table(rows, frozenset({0}))) if rows else ""
