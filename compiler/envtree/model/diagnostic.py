"""Diagnostics about the user's files, their sink, and the exceptions that end a run with a message."""

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import NamedTuple

from envtree.model.span import Span


class Severity(StrEnum):
    """The severity of a finding; determined by its code, never by the call site."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"
    OFF = "off"


def failing_severities(*, strict: bool) -> frozenset[Severity]:
    """Return the severities that make a run fail; `strict` includes warnings."""
    return frozenset({Severity.ERROR, Severity.WARNING} if strict else {Severity.ERROR})


class RelatedSpan(NamedTuple):
    """A second location that explains a finding."""

    span: Span
    message: str


class Diagnostic(NamedTuple):
    """One finding; `key` is a dotted path in the file, `bundle` the id of the bundle if only a bundle shows it."""

    span: Span
    code: str
    message: str
    hint: str = ""
    related: tuple[RelatedSpan, ...] = ()
    key: str = ""
    bundle: str = ""


class SkippedCheck(NamedTuple):
    """A check skipped because it needs the plaintext of a secret, or an input that only `compile` has."""

    span: Span
    code: str
    key: str
    bundle: str = ""


class ReportedError(Exception):
    """An error that ends the run with one sentence for the user."""

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint


class MachineError(ReportedError):
    """An error of the machine, not of the user's files: exit code 3."""


class NoKeyError(MachineError):
    """No available key decrypts a secrets file."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__("ET621", message, hint)


class RefusedError(ReportedError):
    """A request that envtree declines, without a position in a file to blame: exit code 1."""


def os_error_reason(error: OSError) -> str:
    """Return the system's error message, worded as part of a sentence."""
    return (error.strerror or "unknown error").lower()


class Diagnostics:
    """An append-only sink of findings.

    Code that reads earlier findings may do so only to suppress findings that follow from them.
    """

    def __init__(self) -> None:
        self._items: list[Diagnostic] = []
        self._skipped_checks: list[SkippedCheck] = []

    def add(self, finding: Diagnostic) -> None:
        """Report one finding."""
        self._items.append(finding)

    def extend(self, findings: Iterable[Diagnostic]) -> None:
        """Report several findings."""
        self._items.extend(findings)

    def skip(self, check: SkippedCheck) -> None:
        """Record a check that could not be made in this run."""
        self._skipped_checks.append(check)

    def __iter__(self) -> Iterator[Diagnostic]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def since(self, count: int) -> tuple[Diagnostic, ...]:
        """Return the findings after the first `count`."""
        return tuple(self._items[count:])

    def skipped_since(self, count: int = 0) -> tuple[SkippedCheck, ...]:
        """Return the skipped checks after the first `count`."""
        return tuple(self._skipped_checks[count:])

    @property
    def skipped_checks(self) -> tuple[SkippedCheck, ...]:
        """The skipped checks, sorted and without duplicates."""
        return tuple(sorted(set(self._skipped_checks)))
