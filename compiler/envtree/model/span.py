"""A place in a file, as people count: lines and columns begin at 1."""

from typing import NamedTuple

# Line, column, end line, end column; the end column is the first one behind the token.
Mark = tuple[int, int, int, int]

FILE_START: Mark = (1, 1, 1, 1)


class Span(NamedTuple):
    """A stretch of one file; `path` is relative to the tree's root, with `/`."""

    path: str
    line: int
    column: int
    end_line: int
    end_column: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"


def file_span(path: str) -> Span:
    """The place of a finding about the file as such."""
    return Span(path, *FILE_START)
