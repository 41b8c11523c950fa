"""What envtree has to say: findings about the user's files, and failures of the machine."""

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import NamedTuple

from envtree.model.span import Span


class Severity(StrEnum):
    """How much a finding weighs; it belongs to the code, never to the call site."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"
    OFF = "off"


def failing_severities(*, strict: bool) -> frozenset[Severity]:
    """The severities that make a run fail; under `strict` a warning weighs as much as an error."""
    return frozenset({Severity.ERROR, Severity.WARNING} if strict else {Severity.ERROR})


class RelatedSpan(NamedTuple):
    """The other place of a finding."""

    span: Span
    message: str


class Diagnostic(NamedTuple):
    """One finding; `key` is the dotted path inside the file, `bundle` the id where only a bundle shows it."""

    span: Span
    code: str
    message: str
    hint: str = ""
    related: tuple[RelatedSpan, ...] = ()
    key: str = ""
    bundle: str = ""


class SkippedCheck(NamedTuple):
    """A check that would need the plaintext of a secret, or an input that only `compile` has."""

    span: Span
    code: str
    key: str
    bundle: str = ""


class ReportedError(Exception):
    """Ends a run with one sentence for the user."""

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint


class MachineError(ReportedError):
    """The machine is at fault, not the files: exit code 3."""


class NoKeyError(MachineError):
    """No key at hand opens a secrets file."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__("ET621", message, hint)


class RefusedError(ReportedError):
    """What was asked for must not be done, and no place in a file is at fault: exit code 1."""


def os_error_reason(error: OSError) -> str:
    """What the system says is wrong, as a part of a sentence."""
    return (error.strerror or "unknown error").lower()


class Diagnostics:
    """An append-only sink: whoever looks at what others reported does so to be silent about what follows from it."""

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
        """Report a check that could not be made here."""
        self._skipped_checks.append(check)

    def __iter__(self) -> Iterator[Diagnostic]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def since(self, count: int) -> tuple[Diagnostic, ...]:
        """What was reported after the first `count`."""
        return tuple(self._items[count:])

    def skipped_since(self, count: int = 0) -> tuple[SkippedCheck, ...]:
        """The checks left out, after the first `count`."""
        return tuple(self._skipped_checks[count:])

    @property
    def skipped_checks(self) -> tuple[SkippedCheck, ...]:
        """The checks left out, sorted and once each."""
        return tuple(sorted(set(self._skipped_checks)))
