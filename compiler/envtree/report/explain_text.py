"""The answers of explain for people: a table of layers, lowest first, in which the winner stands out."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from envtree.diagnostics.printable import printable, printable_lines
from envtree.model.canonical_json import encode_compact
from envtree.model.span import Span
from envtree.queries.explain.provenance_model import (
    DisplayValue,
    InjectedSecretOrigin,
    KeySummary,
    LayerEntry,
    OrderedLayer,
    OutputVariable,
    Provenance,
    ValueOrigin,
)

_WIDTH = 60
_BOLD, _DIM, _STRIKETHROUGH = "1", "2", "9"

Cells = tuple[str, ...]


class _StyledRow(NamedTuple):
    """A line, its colour, and how many of its last characters are struck out."""

    style: str
    text: str
    struck_length: int = 0


def render_provenance(id: str, provenance: Provenance, *, color: bool) -> str:
    """All about one key."""
    line = provenance.summary
    rows = [
        (_entry_style(rung), ("> " if rung.is_winner else "  ", *_entry_cells(rung, line)))
        for rung in provenance.layer_entries
    ]
    losers = [rung.action == "shadowed" for rung in provenance.layer_entries]
    told = [_StyledRow("", f"{line.key} of {id}: {_full_value_text(line)}"), *_table_rows(rows, losers)]
    if provenance.variable:
        told.insert(1, _StyledRow("", _variable_sentence(provenance.variable, line)))
    if provenance.lock:
        told.append(_StyledRow("", f"locked at {_span_location(provenance.lock)}"))
    if provenance.secret:
        told.append(_StyledRow("", _secret_sentence(provenance.secret)))
    if provenance.sources:
        told += [
            _StyledRow("", "reads"),
            *_table_rows([("", ("  ", *_line_cells(source))) for source in provenance.sources]),
        ]
    if provenance.nested_keys:
        told += [
            _StyledRow("", "holds"),
            *_table_rows([("", ("  ", *_line_cells(inner))) for inner in provenance.nested_keys]),
        ]
    return _render_rows(told, color=color)


def render_overview(lines: Sequence[KeySummary], *, color: bool) -> str:
    """Every key with its winner, one a line."""
    return _render_rows(_table_rows([("", _line_cells(line)) for line in lines]), color=color)


def render_layer_order(steps: Sequence[OrderedLayer]) -> str:
    """The order of the layers, one a line."""
    rows = [
        ("", (str(n).rjust(2), _layer_name(step.layer, step.scope), ", ".join(step.files) or "no file"))
        for n, step in enumerate(steps, start=1)
    ]
    return _render_rows(_table_rows(rows), color=False)


def _entry_cells(entry: LayerEntry, line: KeySummary) -> Cells:
    written = entry.written
    said = _written_text(written, verbose=entry.is_winner) if written else ""
    rule = f"({entry.rule})" if entry.rule not in (None, "set", "$delete") else ""
    other = f"in {entry.key}" if entry.key != line.key and entry.action != "absent" else ""
    return (
        _layer_name(entry.origin.layer, entry.origin.scope),
        entry.action,
        _origin_location(entry.origin),
        " ".join(filter(None, (said, rule, other))),
    )


def _line_cells(line: KeySummary) -> Cells:
    where, layer = (
        (_origin_location(line.origin), _layer_name(line.origin.layer, line.origin.scope)) if line.origin else ("", "")
    )
    return line.key, _value_text(line), where, layer, _shorten(line.expression or "")


def _value_text(line: KeySummary) -> str:
    if line.sensitive and line.value is None:
        return "(secret)"
    return "(unknown)" if line.value is None and line.expression else _shortened_json(line.value)


def _full_value_text(line: KeySummary) -> str:
    """The value that somebody has asked for, to its end; what is in a map or a list has lines of its own."""
    return encode_compact(line.value) if isinstance(line.value, str) else _value_text(line)


def _written_text(written: DisplayValue, *, verbose: bool) -> str:
    """What a layer wrote; the expression that counts is told to its end."""
    if written.is_secret:
        return _secret_label(written)
    if written.type != "expression":
        return _shortened_json(written.value)
    return written.value if verbose else _shorten(written.value)


def _secret_label(written: DisplayValue) -> str:
    size = f", {written.length} bytes" if written.length is not None else ""
    return f"(secret, {written.type}{size})"


def _variable_sentence(variable: OutputVariable, line: KeySummary) -> str:
    it = "it" if variable.key == line.key else f"its {variable.key}"
    return f"in the environment {it} is {variable.name}, by {_span_location(variable.span)}"


def _secret_sentence(secret: InjectedSecretOrigin) -> str:
    layer = _layer_name(secret.origin.layer, secret.origin.scope)
    return f"secret {secret.path} {_secret_label(secret.written)} at {_origin_location(secret.origin)}, {layer}"


def _shortened_json(value: Any) -> str:
    return _shorten(encode_compact(value))


def _shorten(text: str) -> str:
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 1]}…"


def _layer_name(kind: str, scope: str) -> str:
    return f"{kind} {scope}".rstrip()


def _origin_location(origin: ValueOrigin) -> str:
    return _span_location(origin.span) if origin.span else origin.path or "no file"


def _span_location(span: Span) -> str:
    return f"{span.path}:{span.line}:{span.column}"


def _entry_style(entry: LayerEntry) -> str:
    return _BOLD if entry.is_winner else "" if entry.action == "merged" else _DIM


def _table_rows(rows: Sequence[tuple[str, Cells]], is_struck: Sequence[bool] = ()) -> Iterator[_StyledRow]:
    """The rows as lines, their columns as wide as the widest cell; the last cell of losers is struck out."""
    spelt = [(hue, tuple(map(printable, cells))) for hue, cells in rows]
    widths = [max(map(len, column)) for column in zip(*(cells for _, cells in spelt), strict=True)]
    for n, (hue, cells) in enumerate(spelt):
        padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        yield _StyledRow(hue, "  ".join(padded).rstrip(), len(cells[-1]) if is_struck and is_struck[n] else 0)


def _render_rows(rows: Iterable[_StyledRow], *, color: bool) -> str:
    return "".join(f"{_styled_text(row, printable_lines(printable(row.text)), color=color)}\n" for row in rows)


def _styled_text(row: _StyledRow, text: str, *, color: bool) -> str:
    if not color or not row.style:
        return text
    cut = len(text) - row.struck_length
    struck = f"\x1b[{_STRIKETHROUGH}m{text[cut:]}" if row.struck_length else ""
    return f"\x1b[{row.style}m{text[:cut]}{struck}\x1b[0m"
