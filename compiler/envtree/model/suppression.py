"""Suppressions: comments in a file that allow findings, with a reason and an optional expiry date.

LOG_LEVEL: info  # envtree: allow ET452 until 2027-01-31: pinned until the new logger is everywhere
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import NamedTuple

from envtree.model.diagnostic import Diagnostic
from envtree.model.span import FILE_START, Span


class Suppression(NamedTuple):
    """One comment; `line` is the line that it applies to, `is_file_level` means that it precedes all content."""

    codes: frozenset[str]
    until: date | None
    reason: str
    line: int
    is_file_level: bool
    span: Span


class Suppressions:
    """The suppressions of all files, as of one day."""

    def __init__(self, by_path: Mapping[str, tuple[Suppression, ...]], today: date) -> None:
        self._by_path = by_path
        self._today = today

    def suppresses(self, diagnostic: Diagnostic) -> bool:
        """Report whether an active suppression applies to a finding."""
        return any(
            self._is_active(suppression) and _applies_to(suppression, diagnostic)
            for suppression in self._by_path.get(diagnostic.span.path, ())
        )

    def report_expired(self) -> Iterator[Diagnostic]:
        """Yield a finding for each suppression that has expired."""
        for suppression in self._iter_suppressions():
            if not self._is_active(suppression):
                message = f"this allowance ended on {suppression.until}"
                yield Diagnostic(suppression.span, "ET151", message, "fix what it allows, or set another day")

    def report_unused(
        self, diags: Iterable[Diagnostic], *, unchecked_codes: frozenset[str] = frozenset()
    ) -> Iterator[Diagnostic]:
        """Yield a finding for each suppression that applies to none of the diagnostics of a finished run.

        Suppressions of `unchecked_codes`, for which the run did not check, are not reported.
        """
        diagnostics_by_path: dict[str, list[Diagnostic]] = {}
        for diagnostic in diags:
            diagnostics_by_path.setdefault(diagnostic.span.path, []).append(diagnostic)
        for suppression in self._iter_suppressions():
            if not self._is_active(suppression) or not unchecked_codes.isdisjoint(suppression.codes):
                continue
            candidates = diagnostics_by_path.get(suppression.span.path, ())
            if not any(_applies_to(suppression, diagnostic) for diagnostic in candidates):
                message = f"there is no {', '.join(sorted(suppression.codes))} here to be allowed"
                yield Diagnostic(suppression.span, "ET152", message, "remove the comment")

    def _iter_suppressions(self) -> Iterator[Suppression]:
        for suppressions in self._by_path.values():
            yield from suppressions

    def _is_active(self, suppression: Suppression) -> bool:
        return suppression.until is None or self._today <= suppression.until


def _applies_to(suppression: Suppression, diagnostic: Diagnostic) -> bool:
    is_about_file = diagnostic.span[1:] == FILE_START
    is_in_scope = suppression.is_file_level if is_about_file else suppression.line == diagnostic.span.line
    return diagnostic.code in suppression.codes and is_in_scope
