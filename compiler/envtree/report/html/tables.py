"""The tables of the page: whatever many cells share stands in the file once, and is known by its number."""

from collections.abc import Hashable
from typing import Any

from envtree.model.canonical_json import encode_compact
from envtree.model.keypath import KeyPath, format_path
from envtree.model.layers import Layer
from envtree.model.span import Span
from envtree.output.bundle_cells import Cell, comparison_key
from envtree.queries.explain.provenance_model import InjectedSecretOrigin, KeySummary, LayerEntry, ValueOrigin

# How the page spells what must not, or cannot, be shown.
_HIDDEN_CODES = {"secret": 1, "unknown": 2}
NO_ENTRY = -1


class Table:
    """Entries in the order in which they were first met."""

    def __init__(self) -> None:
        self.entries: list[Any] = []
        self._numbers: dict[Hashable, int] = {}

    def intern(self, key: Hashable, entry: Any) -> int:
        """The number of an entry; two with the same key are one."""
        found = self._numbers.get(key)
        if found is None:
            found = self._numbers[key] = len(self.entries)
            self.entries.append(entry)
        return found


class Tables:
    """All tables; an entry is a list of numbers and short words, whose order page/data.js knows."""

    def __init__(self) -> None:
        self.texts, self.values, self.layers = Table(), Table(), Table()
        self.rungs, self.lines, self.ladders = Table(), Table(), Table()
        self.cells, self.shapes, self.stacks = Table(), Table(), Table()
        self.rows, self.groups, self.changes = Table(), Table(), Table()
        self._keys: dict[KeyPath, str] = {}

    def to_json(self) -> dict[str, list[Any]]:
        """The entries of each table."""
        return {name: table.entries for name, table in vars(self).items() if isinstance(table, Table)}

    def row(self, path: KeyPath) -> int:
        """The number of a row of the matrix."""
        return self.rows.intern(path, (path[0], self.key(path)))

    def key(self, path: KeyPath) -> str:
        """A path as people write it."""
        found = self._keys.get(path)
        if found is None:
            found = self._keys[path] = format_path(path)
        return found

    def text(self, text: str | None) -> int:
        """The number of a text, `NONE` for none."""
        return NO_ENTRY if text is None else self.texts.intern(text, replace_surrogates(text))

    def value(self, value: Any) -> int:
        """The number of a value that may be shown: a text stands as it is, anything else as its JSON."""
        return self.values.intern(comparison_key(value), value if isinstance(value, str) else [encode_compact(value)])

    def hidden(self, kind: str, mark: bytes = b"") -> int:
        """The number of a value that is not shown; its mark stays here, and only tells it from others."""
        return self.values.intern((kind, mark), _HIDDEN_CODES[kind])

    def cell(self, cell: Cell, ladder: int) -> int:
        """The number of a cell."""
        value = self.hidden(cell.hidden, cell.comparison_key) if cell.hidden else self.value(cell.value)
        return self.cells.intern((value, ladder), (value, ladder))

    def layer(self, layer: Layer) -> int:
        """The number of a layer, and of its two files."""
        sealed = layer.secrets.path if layer.secrets else ""
        entry = (layer.kind, *map(self.text, (layer.scope, layer.path, sealed)))
        return self.layers.intern(entry, entry)

    def layer_entry(self, rung: LayerEntry, layer: Layer) -> int:
        """The number of what a layer did."""
        written, span = rung.written, rung.origin.span
        value = NO_ENTRY
        if written:
            value = self.hidden("secret") if written.is_secret else self.value(written.value)
        entry = (
            self.layer(layer),
            self.text(rung.key),
            *_line_and_column(span),
            rung.action,
            rung.rule or "",
            written.type if written else "",
            value,
        )
        return self.rungs.intern(entry, entry)

    def line(self, line: KeySummary) -> int:
        """The number of a key with its value, its winner and what it reads."""
        if line.value is None and (line.sensitive or line.expression):
            value = self.hidden("secret" if line.sensitive else "unknown")
        else:
            value = self.value(line.value)
        return self._intern_line(line.key, value, line.origin, line.expression, line.reads)

    def secret(self, secret: InjectedSecretOrigin) -> int:
        """The number of the leaf of a secrets file."""
        return self._intern_line(secret.path, self.hidden("secret"), secret.origin, None, ())

    def span_entry(self, span: Span | None) -> tuple[int, int, int]:
        """A place as the page has it."""
        return (self.text(span.path), *_line_and_column(span)) if span else (NO_ENTRY, 0, 0)

    def _intern_line(
        self, key: str, value: int, origin: ValueOrigin | None, expression: str | None, reads: tuple[str, ...]
    ) -> int:
        where = (origin.layer, self.text(origin.scope), self.text(origin.path)) if origin else ("", NO_ENTRY, NO_ENTRY)
        point = _line_and_column(origin.span if origin else None)
        entry = (self.text(key), value, *where, *point, self.text(expression), tuple(map(self.text, reads)))
        return self.lines.intern(entry, entry)


def replace_surrogates(text: str) -> str:
    """A text without half surrogate pairs, which the name of a file may hold and JSON may not."""
    return text.encode("utf-8", "backslashreplace").decode()


def _line_and_column(span: Span | None) -> tuple[int, int]:
    return (span.line, span.column) if span else (0, 0)
