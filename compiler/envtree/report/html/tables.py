"""The tables of the page: data that many cells share is stored once, and referred to by its number."""

from collections.abc import Hashable
from typing import Any

from envtree.model.canonical_json import encode_compact
from envtree.model.keypath import KeyPath, format_path
from envtree.model.layers import Layer
from envtree.model.span import Span
from envtree.output.bundle_cells import Cell, comparison_key
from envtree.queries.explain.provenance_model import InjectedSecretOrigin, KeySummary, LayerEntry, ValueOrigin

# The page's codes for values that must not, or cannot, be shown.
_HIDDEN_CODES = {"secret": 1, "unknown": 2}
NO_ENTRY = -1


class Table:
    """Entries in the order of their first use."""

    def __init__(self) -> None:
        self.entries: list[Any] = []
        self._numbers: dict[Hashable, int] = {}

    def intern(self, key: Hashable, entry: Any) -> int:
        """Return the number of an entry; entries with the same key are stored once."""
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self.entries)
            self.entries.append(entry)
        return number


class Tables:
    """All tables; an entry is a list of numbers and short texts, in the order that page/data.js expects."""

    def __init__(self) -> None:
        self.texts, self.values, self.layers = Table(), Table(), Table()
        self.layer_entries, self.lines, self.provenances = Table(), Table(), Table()
        self.cells, self.shapes, self.stacks = Table(), Table(), Table()
        self.rows, self.groups, self.changes = Table(), Table(), Table()
        self._keys: dict[KeyPath, str] = {}

    def to_json(self) -> dict[str, list[Any]]:
        """Return the entries of each table."""
        return {name: table.entries for name, table in vars(self).items() if isinstance(table, Table)}

    def row(self, path: KeyPath) -> int:
        """Return the number of a row of the matrix."""
        return self.rows.intern(path, (path[0], self.key(path)))

    def key(self, path: KeyPath) -> str:
        """Return a path as users write it."""
        key = self._keys.get(path)
        if key is None:
            key = self._keys[path] = format_path(path)
        return key

    def text(self, text: str | None) -> int:
        """Return the number of a text, `NO_ENTRY` for None."""
        return NO_ENTRY if text is None else self.texts.intern(text, replace_surrogates(text))

    def value(self, value: Any) -> int:
        """Return the number of a value that may be shown: a text as it is, any other value as its JSON."""
        return self.values.intern(comparison_key(value), value if isinstance(value, str) else [encode_compact(value)])

    def hidden(self, kind: str, key: bytes = b"") -> int:
        """Return the number of a hidden value; its comparison key is not in the page, and only tells values apart."""
        return self.values.intern((kind, key), _HIDDEN_CODES[kind])

    def cell(self, cell: Cell, provenance_number: int) -> int:
        """Return the number of a cell."""
        value = self.hidden(cell.hidden, cell.comparison_key) if cell.hidden else self.value(cell.value)
        return self.cells.intern((value, provenance_number), (value, provenance_number))

    def layer(self, layer: Layer) -> int:
        """Return the number of a layer with its two files."""
        secrets_path = layer.secrets.path if layer.secrets else ""
        entry = (layer.kind, *map(self.text, (layer.scope, layer.path, secrets_path)))
        return self.layers.intern(entry, entry)

    def layer_entry(self, entry: LayerEntry, layer: Layer) -> int:
        """Return the number of a layer entry."""
        written, span = entry.written, entry.origin.span
        value = NO_ENTRY
        if written:
            value = self.hidden("secret") if written.is_secret else self.value(written.value)
        row = (
            self.layer(layer),
            self.text(entry.key),
            *_line_and_column(span),
            entry.action,
            entry.rule or "",
            written.type if written else "",
            value,
        )
        return self.layer_entries.intern(row, row)

    def line(self, summary: KeySummary) -> int:
        """Return the number of a key with its value, its origin and the keys that it reads."""
        if summary.value is None and (summary.sensitive or summary.expression):
            value = self.hidden("secret" if summary.sensitive else "unknown")
        else:
            value = self.value(summary.value)
        return self._intern_line(summary.key, value, summary.origin, summary.expression, summary.reads)

    def secret(self, secret: InjectedSecretOrigin) -> int:
        """Return the number of an injected secret."""
        return self._intern_line(secret.path, self.hidden("secret"), secret.origin, None, ())

    def span_entry(self, span: Span | None) -> tuple[int, int, int]:
        """Return a location as path number, line and column."""
        return (self.text(span.path), *_line_and_column(span)) if span else (NO_ENTRY, 0, 0)

    def _intern_line(
        self, key: str, value: int, origin: ValueOrigin | None, expression: str | None, reads: tuple[str, ...]
    ) -> int:
        source = (origin.layer, self.text(origin.scope), self.text(origin.path)) if origin else ("", NO_ENTRY, NO_ENTRY)
        position = _line_and_column(origin.span if origin else None)
        entry = (self.text(key), value, *source, *position, self.text(expression), tuple(map(self.text, reads)))
        return self.lines.intern(entry, entry)


def replace_surrogates(text: str) -> str:
    """Return a text without lone surrogates, which a file name may contain and JSON may not."""
    return text.encode("utf-8", "backslashreplace").decode()


def _line_and_column(span: Span | None) -> tuple[int, int]:
    return (span.line, span.column) if span else (0, 0)
