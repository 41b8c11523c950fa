"""A parser for the HTML report: its elements, and its data with table indexes resolved."""

import json
import re
from html.parser import HTMLParser
from typing import Any, NamedTuple


class PageElements(HTMLParser):
    """The elements of a page, and the content of its styles and scripts."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {"style": [], "script": []}
        self._inside = ""
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._inside = tag
        if tag in self.texts:
            self.texts[tag].append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside in self.texts:
            self.texts[self._inside][-1] += data

    @property
    def policy(self) -> dict[str, str]:
        """The directives of the content security policy."""
        (meta,) = [attrs for tag, attrs in self.elements if tag == "meta" and "http-equiv" in attrs]
        pairs = [directive.strip().partition(" ") for directive in (meta["content"] or "").split(";")]
        return {name: value for name, _, value in pairs}


def read_page_data(page: bytes) -> dict[str, Any]:
    """Return the data block of a page."""
    (block,) = re.findall(rb'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    data: dict[str, Any] = json.loads(block)
    return data


class PageCell(NamedTuple):
    """A cell of the matrix, with the layers behind its value."""

    value: Any
    layer_entries: list[dict[str, Any]]
    lock: dict[str, Any] | None
    expression: str | None
    reads: list[str]
    secret: dict[str, Any] | None
    keys: list[dict[str, Any]]


class Page:
    """The data of a page, decoded in the same way as by page/data.js."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.data = data
        self.tables: dict[str, list[Any]] = data["tables"]
        self.bundles = {bundle["id"]: bundle for bundle in data["bundles"]}

    def cells(self, id: str) -> dict[str, PageCell]:
        """Return the cells of a bundle by key."""
        bundle = self.bundles[id]
        rows = self.tables["shapes"][bundle["shape"]]
        pairs = zip(rows, bundle["cells"], strict=True)
        return {self.tables["rows"][row][1]: self._cell(cell) for row, cell in pairs}

    def facts(self, id: str) -> dict[str, dict[str, Any]]:
        """Return the values that a bundle reads besides its cells, by key."""
        lines = map(self.line, self.bundles[id]["facts"])
        return {line["key"]: line for line in lines}

    def value(self, number: int) -> Any:
        """Return a value, or `(secret)`, `(unknown)` or `(none)` for hidden and missing ones."""
        if number == -1:
            return "(none)"
        entry = self.tables["values"][number]
        if isinstance(entry, list):
            return json.loads(entry[0])
        return {1: "(secret)", 2: "(unknown)"}.get(entry, entry)

    def text(self, number: int) -> str | None:
        """Return a text, or None for the index -1."""
        return None if number == -1 else self.tables["texts"][number]

    def line(self, number: int) -> dict[str, Any]:
        """Return a line of `explain`."""
        key, value, kind, scope, path, line, column, expression, reads = self.tables["lines"][number]
        return {
            "key": self.text(key),
            "value": self.value(value),
            "layer": kind or None,
            "scope": self.text(scope),
            "path": self.text(path) or None,
            "line": line or None,
            "column": column or None,
            "expression": self.text(expression),
            "reads": [self.text(read) for read in reads],
        }

    def _cell(self, number: int) -> PageCell:
        value, provenance = self.tables["cells"][number]
        if provenance == -1:
            return PageCell(self.value(value), [], None, None, [], None, [])
        layer_entries, path, line, column, expression, reads, secret, keys = self.tables["provenances"][provenance]
        return PageCell(
            self.value(value),
            [self._layer_entry(entry) for entry in layer_entries],
            {"path": self.text(path), "line": line, "column": column} if path != -1 else None,
            self.text(expression),
            [self.text(read) or "" for read in reads],
            self.line(secret) if secret != -1 else None,
            [self.line(key) for key in keys],
        )

    def _layer_entry(self, number: int) -> dict[str, Any]:
        layer, key, line, column, action, rule, type, value = self.tables["layer_entries"][number]
        kind, scope, path, _ = self.tables["layers"][layer]
        return {
            "layer": kind,
            "scope": self.text(scope),
            "path": self.text(path) or None,
            "line": line,
            "column": column,
            "key": self.text(key),
            "action": action,
            "rule": rule or None,
            "type": type or None,
            "value": self.value(value),
        }
