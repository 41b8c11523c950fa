"""What a file allows on purpose: findings that are not told there, why, and until when.

LOG_LEVEL: info  # envtree: allow ET452 until 2027-01-31: pinned until the new logger is everywhere
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import NamedTuple

from envtree.model.diagnostic import Diagnostic
from envtree.model.span import FILE_START, Span


class Suppression(NamedTuple):
    """One comment; `line` is the one it is about, `head` means that it stands above everything in the file."""

    codes: frozenset[str]
    until: date | None
    reason: str
    line: int
    is_file_level: bool
    span: Span


class Suppressions:
    """Those of all files, on one day."""

    def __init__(self, by_path: Mapping[str, tuple[Suppression, ...]], today: date) -> None:
        self._by_path = by_path
        self._today = today

    def suppresses(self, diagnostic: Diagnostic) -> bool:
        """Whether a finding is allowed where it stands."""
        return any(
            self._is_active(one) and _applies_to(one, diagnostic) for one in self._by_path.get(diagnostic.span.path, ())
        )

    def report_expired(self) -> Iterator[Diagnostic]:
        """The allowances whose day is over."""
        for one in self._iter_suppressions():
            if not self._is_active(one):
                message = f"this allowance ended on {one.until}"
                yield Diagnostic(one.span, "ET151", message, "fix what it allows, or set another day")

    def report_unused(
        self, diags: Iterable[Diagnostic], *, unchecked_codes: frozenset[str] = frozenset()
    ) -> Iterator[Diagnostic]:
        """The allowances of which a finished run made no use; it did not look for the codes of `aside`."""
        found: dict[str, list[Diagnostic]] = {}
        for diagnostic in diags:
            found.setdefault(diagnostic.span.path, []).append(diagnostic)
        for one in self._iter_suppressions():
            if not self._is_active(one) or not unchecked_codes.isdisjoint(one.codes):
                continue
            if not any(_applies_to(one, each) for each in found.get(one.span.path, ())):
                codes = ", ".join(sorted(one.codes))
                yield Diagnostic(one.span, "ET152", f"there is no {codes} here to be allowed", "remove the comment")

    def _iter_suppressions(self) -> Iterator[Suppression]:
        for allowances in self._by_path.values():
            yield from allowances

    def _is_active(self, one: Suppression) -> bool:
        return one.until is None or self._today <= one.until


def _applies_to(one: Suppression, diagnostic: Diagnostic) -> bool:
    about_file = diagnostic.span[1:] == FILE_START
    return diagnostic.code in one.codes and (one.is_file_level if about_file else one.line == diagnostic.span.line)
