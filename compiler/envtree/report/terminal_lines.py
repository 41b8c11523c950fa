"""Lines for a terminal: tables, colours, and shortened text."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from envtree.diagnostics.printable import printable, printable_lines
from envtree.diagnostics.summary import plural
from envtree.model.canonical_json import encode_compact
from envtree.model.span import Span

BOLD, DIM = "1", "2"
_WIDTH = 60


class StyledLine(NamedTuple):
    """A line, and its style."""

    text: str
    style: str = ""


def render_lines(lines: Iterable[StyledLine], *, color: bool) -> str:
    """Return the lines, escaped for a terminal."""
    styled = ((printable_lines(printable(line.text)), line.style if color else "") for line in lines)
    return "".join(f"\x1b[{style}m{text}\x1b[0m\n" if style else f"{text}\n" for text, style in styled)


def format_table(rows: Sequence[Sequence[str]], right_aligned: frozenset[int] = frozenset()) -> list[str]:
    """Return the rows as lines with aligned columns; the `right_aligned` columns contain numbers."""
    printable_rows = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*printable_rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if column_index in right_aligned else cell.ljust(width)
            for column_index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in printable_rows
    ]


def shorten_value(value: Any) -> str:
    """Return a value as JSON, cut if it is long."""
    text = encode_compact(value)
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 1]}…"


def short_location(span: Span) -> str:
    """Return a location without its column, for long lists."""
    return f"{span.path}:{span.line}"


def truncate_items(items: Sequence[str], limit: int, noun: str) -> list[str]:
    """Return the first items, and how many more there are."""
    rest = len(items) - limit
    return [*items[:limit], f"and {plural(rest, f'more {noun}')}"] if rest > 0 else list(items)
