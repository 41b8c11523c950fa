"""What a file allows on purpose: findings that are not told there, why, and until when.

LOG_LEVEL: info  # envtree: allow ET452 until 2027-01-31: pinned until the new logger is everywhere
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import NamedTuple

from envtree.model.diagnostic import Diagnostic
from envtree.model.span import START, Span


class Allowance(NamedTuple):
    """One comment; `line` is the one it is about, `head` means that it stands above everything in the file."""

    codes: frozenset[str]
    until: date | None
    reason: str
    line: int
    head: bool
    span: Span


class Allowances:
    """Those of all files, on one day."""

    def __init__(self, by_path: Mapping[str, tuple[Allowance, ...]], today: date) -> None:
        self._all = by_path
        self._today = today

    def covers(self, diagnostic: Diagnostic) -> bool:
        """Whether a finding is allowed where it stands."""
        return any(self._holds(one) and _is_about(one, diagnostic) for one in self._all.get(diagnostic.span.path, ()))

    def expired(self) -> Iterator[Diagnostic]:
        """The allowances whose day is over."""
        for one in self._each():
            if not self._holds(one):
                message = f"this allowance ended on {one.until}"
                yield Diagnostic(one.span, "ET151", message, "fix what it allows, or set another day")

    def idle(self, diags: Iterable[Diagnostic], *, aside: frozenset[str] = frozenset()) -> Iterator[Diagnostic]:
        """The allowances of which a finished run made no use; it did not look for the codes of `aside`."""
        found: dict[str, list[Diagnostic]] = {}
        for diagnostic in diags:
            found.setdefault(diagnostic.span.path, []).append(diagnostic)
        for one in self._each():
            if not self._holds(one) or not aside.isdisjoint(one.codes):
                continue
            if not any(_is_about(one, each) for each in found.get(one.span.path, ())):
                codes = ", ".join(sorted(one.codes))
                yield Diagnostic(one.span, "ET152", f"there is no {codes} here to be allowed", "remove the comment")

    def _each(self) -> Iterator[Allowance]:
        for allowances in self._all.values():
            yield from allowances

    def _holds(self, one: Allowance) -> bool:
        return one.until is None or self._today <= one.until


def _is_about(one: Allowance, diagnostic: Diagnostic) -> bool:
    about_file = diagnostic.span[1:] == START
    return diagnostic.code in one.codes and (one.head if about_file else one.line == diagnostic.span.line)
