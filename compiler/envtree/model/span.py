"""Positions in files; lines and columns count from 1."""

from typing import NamedTuple

# Line, column, end line, end column; the end column is exclusive.
Mark = tuple[int, int, int, int]

FILE_START: Mark = (1, 1, 1, 1)


class Span(NamedTuple):
    """A range of one file; `path` is relative to the root of the tree and uses `/`."""

    path: str
    line: int
    column: int
    end_line: int
    end_column: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"


def file_span(path: str) -> Span:
    """Return the span for a finding about a file as a whole."""
    return Span(path, *FILE_START)
