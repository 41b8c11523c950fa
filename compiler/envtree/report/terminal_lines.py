"""Lines for people: tables, colours, and what is cut short."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from envtree.diagnostics.printable import printable, printable_lines
from envtree.diagnostics.summary import plural
from envtree.model.canonical_json import encode_compact
from envtree.model.span import Span

BOLD, DIM = "1", "2"
_WIDTH = 60


class StyledLine(NamedTuple):
    """A line, and its colour."""

    text: str
    style: str = ""


def render_lines(lines: Iterable[StyledLine], *, color: bool) -> str:
    """The lines, fit for a terminal."""
    told = ((printable_lines(printable(line.text)), line.style if color else "") for line in lines)
    return "".join(f"\x1b[{hue}m{text}\x1b[0m\n" if hue else f"{text}\n" for text, hue in told)


def format_table(rows: Sequence[Sequence[str]], right_aligned: frozenset[int] = frozenset()) -> list[str]:
    """The rows as lines, their columns as wide as the widest cell; those of `right` are numbers."""
    spelt = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*spelt, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if n in right_aligned else cell.ljust(width)
            for n, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in spelt
    ]


def shorten_value(value: Any) -> str:
    """A value as JSON, cut where it is long."""
    text = encode_compact(value)
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 1]}…"


def short_location(span: Span) -> str:
    """A place without its column, for a list of many."""
    return f"{span.path}:{span.line}"


def truncate_items(items: Sequence[str], limit: int, noun: str) -> list[str]:
    """The first items, and how many more there are."""
    rest = len(items) - limit
    return [*items[:limit], f"and {plural(rest, f'more {noun}')}"] if rest > 0 else list(items)
