"""Collect the findings of the parser about one file."""

from typing import NamedTuple

from envtree.diagnostics.codes import CODES
from envtree.model.diagnostic import Diagnostic, Diagnostics, RelatedSpan
from envtree.model.span import Mark, Span

# The mark of another location that explains a finding, and a note about it.
RelatedMark = tuple[Mark, str]


class FatalParseError(Exception):
    """A finding that ends the parsing of a file, because the rest cannot be trusted or would cost too much."""

    def __init__(self, at: Mark, code: str, message: str, hint: str = "", *related: RelatedMark) -> None:
        super().__init__(code)
        self.at = at
        self.code = code
        self.message = message
        self.hint = hint
        self.related = related


class ParseReport(NamedTuple):
    """The sink for the findings of one file, and the marks that its `Document` records."""

    path: str
    diags: Diagnostics
    invalid_marks: set[Mark]
    aliases: dict[Mark, Mark]
    rounded_marks: list[Mark]

    def add(self, at: Mark, code: str, message: str, hint: str = "", *related_marks: RelatedMark) -> None:
        """Report a finding, with the locations that explain it."""
        related = tuple(RelatedSpan(Span(self.path, *mark), note) for mark, note in related_marks)
        self.diags.add(Diagnostic(Span(self.path, *at), code, message, hint, related=related))
        # A value with a mere warning has been read as it was meant.
        if CODES[code].is_fixed:
            self.invalid_marks.add(at)

    def add_fatal(self, error: FatalParseError) -> None:
        """Report the finding that ended the parsing."""
        self.add(error.at, error.code, error.message, error.hint, *error.related)


def mark_at(text: str, index: int) -> Mark:
    """Return the mark of the character at `index`, counted from 0; at the end of a line it has no width."""
    index = min(index, len(text))
    line = text.count("\n", 0, index) + 1
    column = index - (text.rfind("\n", 0, index) + 1) + 1
    return (line, column, line, column + (text[index : index + 1] not in ("", "\n")))


def displayable_key(name: str) -> str:
    """Return a key fit for a message: short, and without characters that move a terminal's cursor."""
    name = name if len(name) <= 80 else name[:80] + "…"
    return name if name.isprintable() else name.encode("unicode_escape").decode()
