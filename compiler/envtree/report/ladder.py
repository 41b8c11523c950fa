"""The answers of explain for people: a table of layers, lowest first, in which the winner stands out."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from envtree.diagnostics.printable import printable, printable_lines
from envtree.model.canonical_json import compact
from envtree.model.span import Span
from envtree.queries.explain.model import Ladder, Line, Origin, Rung, Secret, Shown, Step, Variable

_WIDTH = 60
_BOLD, _DIM, _STRUCK = "1", "2", "9"

Cells = tuple[str, ...]


class _Row(NamedTuple):
    """A line, its colour, and how many of its last characters are struck out."""

    hue: str
    text: str
    struck: int = 0


def ladder_text(id: str, ladder: Ladder, *, color: bool) -> str:
    """All about one key."""
    line = ladder.line
    rows = [(_hue(rung), ("> " if rung.wins else "  ", *_rung_cells(rung, line))) for rung in ladder.rungs]
    losers = [rung.action == "shadowed" for rung in ladder.rungs]
    told = [_Row("", f"{line.key} of {id}: {_asked(line)}"), *_table(rows, losers)]
    if ladder.variable:
        told.insert(1, _Row("", _variable_sentence(ladder.variable, line)))
    if ladder.lock:
        told.append(_Row("", f"locked at {_place(ladder.lock)}"))
    if ladder.secret:
        told.append(_Row("", _secret_sentence(ladder.secret)))
    if ladder.sources:
        told += [_Row("", "reads"), *_table([("", ("  ", *_line_cells(source))) for source in ladder.sources])]
    if ladder.keys:
        told += [_Row("", "holds"), *_table([("", ("  ", *_line_cells(inner))) for inner in ladder.keys])]
    return _lines(told, color=color)


def overview_text(lines: Sequence[Line], *, color: bool) -> str:
    """Every key with its winner, one a line."""
    return _lines(_table([("", _line_cells(line)) for line in lines]), color=color)


def order_text(steps: Sequence[Step]) -> str:
    """The order of the layers, one a line."""
    rows = [
        ("", (str(n).rjust(2), _layer(step.layer, step.scope), ", ".join(step.files) or "no file"))
        for n, step in enumerate(steps, start=1)
    ]
    return _lines(_table(rows), color=False)


def _rung_cells(rung: Rung, line: Line) -> Cells:
    written = rung.written
    said = _written(written, whole=rung.wins) if written else ""
    rule = f"({rung.rule})" if rung.rule not in (None, "set", "$delete") else ""
    other = f"in {rung.key}" if rung.key != line.key and rung.action != "absent" else ""
    return (
        _layer(rung.origin.layer, rung.origin.scope),
        rung.action,
        _where(rung.origin),
        " ".join(filter(None, (said, rule, other))),
    )


def _line_cells(line: Line) -> Cells:
    where, layer = (_where(line.origin), _layer(line.origin.layer, line.origin.scope)) if line.origin else ("", "")
    return line.key, _final(line), where, layer, _cut(line.expression or "")


def _final(line: Line) -> str:
    if line.sensitive and line.value is None:
        return "(secret)"
    return "(unknown)" if line.value is None and line.expression else _json(line.value)


def _asked(line: Line) -> str:
    """The value that somebody has asked for, to its end; what is in a map or a list has lines of its own."""
    return compact(line.value) if isinstance(line.value, str) else _final(line)


def _written(written: Shown, *, whole: bool) -> str:
    """What a layer wrote; the expression that counts is told to its end."""
    if written.secret:
        return _described(written)
    if written.type != "expression":
        return _json(written.value)
    return written.value if whole else _cut(written.value)


def _described(written: Shown) -> str:
    size = f", {written.length} bytes" if written.length is not None else ""
    return f"(secret, {written.type}{size})"


def _variable_sentence(variable: Variable, line: Line) -> str:
    it = "it" if variable.key == line.key else f"its {variable.key}"
    return f"in the environment {it} is {variable.name}, by {_place(variable.span)}"


def _secret_sentence(secret: Secret) -> str:
    layer = _layer(secret.origin.layer, secret.origin.scope)
    return f"secret {secret.path} {_described(secret.written)} at {_where(secret.origin)}, {layer}"


def _json(value: Any) -> str:
    return _cut(compact(value))


def _cut(text: str) -> str:
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 1]}…"


def _layer(kind: str, scope: str) -> str:
    return f"{kind} {scope}".rstrip()


def _where(origin: Origin) -> str:
    return _place(origin.span) if origin.span else origin.path or "no file"


def _place(span: Span) -> str:
    return f"{span.path}:{span.line}:{span.column}"


def _hue(rung: Rung) -> str:
    return _BOLD if rung.wins else "" if rung.action == "merged" else _DIM


def _table(rows: Sequence[tuple[str, Cells]], losers: Sequence[bool] = ()) -> Iterator[_Row]:
    """The rows as lines, their columns as wide as the widest cell; the last cell of losers is struck out."""
    spelt = [(hue, tuple(map(printable, cells))) for hue, cells in rows]
    widths = [max(map(len, column)) for column in zip(*(cells for _, cells in spelt), strict=True)]
    for n, (hue, cells) in enumerate(spelt):
        padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        yield _Row(hue, "  ".join(padded).rstrip(), len(cells[-1]) if losers and losers[n] else 0)


def _lines(told: Iterable[_Row], *, color: bool) -> str:
    return "".join(f"{_painted(row, printable_lines(printable(row.text)), color=color)}\n" for row in told)


def _painted(row: _Row, text: str, *, color: bool) -> str:
    if not color or not row.hue:
        return text
    cut = len(text) - row.struck
    struck = f"\x1b[{_STRUCK}m{text[cut:]}" if row.struck else ""
    return f"\x1b[{row.hue}m{text[:cut]}{struck}\x1b[0m"
