"""How the readers of this package say what they found in a file."""

from typing import NamedTuple

from envtree.diagnostic import Diagnostic, Diagnostics, Related
from envtree.span import Mark, Span


class Refused(Exception):
    """A finding that ends the reading of a file: what follows can't be trusted, or not be afforded."""

    def __init__(self, at: Mark, code: str, message: str, hint: str = "") -> None:
        super().__init__(code)
        self.at = at
        self.code = code
        self.message = message
        self.hint = hint


class Report(NamedTuple):
    """The sink for the findings of one file."""

    path: str
    diags: Diagnostics

    def add(self, at: Mark, code: str, message: str, hint: str = "") -> None:
        """Report a finding."""
        self.diags.add(Diagnostic(Span(self.path, *at), code, message, hint))

    def add_related(self, at: Mark, code: str, message: str, other: tuple[Mark, str]) -> None:
        """Report a finding that a second place explains."""
        related = Related(Span(self.path, *other[0]), other[1])
        self.diags.add(Diagnostic(Span(self.path, *at), code, message, related=(related,)))

    def refuse(self, refusal: Refused) -> None:
        """Report the finding that ended the reading."""
        self.add(refusal.at, refusal.code, refusal.message, refusal.hint)


def mark_at(text: str, index: int) -> Mark:
    """The place of the character at `index`, counted from 0; at the end of a line it has no width."""
    index = min(index, len(text))
    line = text.count("\n", 0, index) + 1
    column = index - (text.rfind("\n", 0, index) + 1) + 1
    return (line, column, line, column + (text[index : index + 1] not in ("", "\n")))


def shown(name: str) -> str:
    """A key fit for a message: short, and without characters that move a terminal's cursor."""
    name = name if len(name) <= 80 else name[:80] + "…"
    return name if name.isprintable() else name.encode("unicode_escape").decode()
