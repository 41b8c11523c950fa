"""The answers of explain for people: a table of layers, lowest first, with the winner in bold."""

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
    """A line, its style, and the number of its last characters that are struck out."""

    style: str
    text: str
    struck_length: int = 0


def render_provenance(id: str, provenance: Provenance, *, color: bool) -> str:
    """Return the provenance of a key as text."""
    summary = provenance.summary
    rows = [
        (_entry_style(entry), ("> " if entry.is_winner else "  ", *_entry_cells(entry, summary)))
        for entry in provenance.layer_entries
    ]
    is_struck = [entry.action == "shadowed" for entry in provenance.layer_entries]
    output = [_StyledRow("", f"{summary.key} of {id}: {_full_value_text(summary)}"), *_table_rows(rows, is_struck)]
    if provenance.variable:
        output.insert(1, _StyledRow("", _variable_sentence(provenance.variable, summary)))
    if provenance.lock:
        output.append(_StyledRow("", f"locked at {_span_location(provenance.lock)}"))
    if provenance.secret:
        output.append(_StyledRow("", _secret_sentence(provenance.secret)))
    if provenance.sources:
        output += [
            _StyledRow("", "reads"),
            *_table_rows([("", ("  ", *_summary_cells(source))) for source in provenance.sources]),
        ]
    if provenance.nested_keys:
        output += [
            _StyledRow("", "holds"),
            *_table_rows([("", ("  ", *_summary_cells(nested))) for nested in provenance.nested_keys]),
        ]
    return _render_rows(output, color=color)


def render_overview(summaries: Sequence[KeySummary], *, color: bool) -> str:
    """Return all keys with their origins, one a line."""
    return _render_rows(_table_rows([("", _summary_cells(summary)) for summary in summaries]), color=color)


def render_layer_order(layers: Sequence[OrderedLayer]) -> str:
    """Return the order of the layers, one a line."""
    rows = [
        ("", (str(n).rjust(2), _layer_name(layer.layer, layer.scope), ", ".join(layer.files) or "no file"))
        for n, layer in enumerate(layers, start=1)
    ]
    return _render_rows(_table_rows(rows), color=False)


def _entry_cells(entry: LayerEntry, summary: KeySummary) -> Cells:
    written = entry.written
    value = _written_text(written, verbose=entry.is_winner) if written else ""
    rule = f"({entry.rule})" if entry.rule not in (None, "set", "$delete") else ""
    other_key = f"in {entry.key}" if entry.key != summary.key and entry.action != "absent" else ""
    return (
        _layer_name(entry.origin.layer, entry.origin.scope),
        entry.action,
        _origin_location(entry.origin),
        " ".join(filter(None, (value, rule, other_key))),
    )


def _summary_cells(summary: KeySummary) -> Cells:
    location, layer = (
        (_origin_location(summary.origin), _layer_name(summary.origin.layer, summary.origin.scope))
        if summary.origin
        else ("", "")
    )
    return summary.key, _value_text(summary), location, layer, _shorten(summary.expression or "")


def _value_text(summary: KeySummary) -> str:
    if summary.sensitive and summary.value is None:
        return "(secret)"
    return "(unknown)" if summary.value is None and summary.expression else _shortened_json(summary.value)


def _full_value_text(summary: KeySummary) -> str:
    """Return the requested value without cutting strings; the contents of a map or a list have their own lines."""
    return encode_compact(summary.value) if isinstance(summary.value, str) else _value_text(summary)


def _written_text(written: DisplayValue, *, verbose: bool) -> str:
    """Return the value that a layer wrote; with `verbose` an expression is not cut."""
    if written.is_secret:
        return _secret_label(written)
    if written.type != "expression":
        return _shortened_json(written.value)
    return written.value if verbose else _shorten(written.value)


def _secret_label(written: DisplayValue) -> str:
    size = f", {written.length} bytes" if written.length is not None else ""
    return f"(secret, {written.type}{size})"


def _variable_sentence(variable: OutputVariable, summary: KeySummary) -> str:
    subject = "it" if variable.key == summary.key else f"its {variable.key}"
    return f"in the environment {subject} is {variable.name}, by {_span_location(variable.span)}"


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
    """Yield the rows as aligned lines; the last cell of rows with `is_struck` is struck out."""
    printable_rows = [(style, tuple(map(printable, cells))) for style, cells in rows]
    widths = [max(map(len, column)) for column in zip(*(cells for _, cells in printable_rows), strict=True)]
    for n, (style, cells) in enumerate(printable_rows):
        padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        yield _StyledRow(style, "  ".join(padded).rstrip(), len(cells[-1]) if is_struck and is_struck[n] else 0)


def _render_rows(rows: Iterable[_StyledRow], *, color: bool) -> str:
    return "".join(f"{_styled_text(row, printable_lines(printable(row.text)), color=color)}\n" for row in rows)


def _styled_text(row: _StyledRow, text: str, *, color: bool) -> str:
    if not color or not row.style:
        return text
    struck_start = len(text) - row.struck_length
    struck = f"\x1b[{_STRIKETHROUGH}m{text[struck_start:]}" if row.struck_length else ""
    return f"\x1b[{row.style}m{text[:struck_start]}{struck}\x1b[0m"
