"""The provenance of all cells: built once for all bundles whose layers have the same statements about a key."""

from collections.abc import Hashable

from envtree.compile.resolve.expression_compiler import ExpressionCompiler
from envtree.model.keypath import KeyPath, parse_path
from envtree.model.merged import MergedSequence
from envtree.model.value_path import MODEL_KEY, ValuePath, child_values, contributing_paths, find_lock
from envtree.output.bundle_cells import Cell
from envtree.queries.explain import ExplainedBundle
from envtree.queries.explain.key_summaries import collect_sources, summarize_key
from envtree.queries.explain.layer_trace import (
    find_injected_secret,
    find_value_lock,
    list_indexed_entries,
)
from envtree.queries.explain.provenance_model import KeySummary
from envtree.queries.layer_statements import StatementIdentities
from envtree.report.html.tables import NO_ENTRY, Tables


class ProvenanceTable:
    """The provenance of the keys of all bundles so far."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._compiler = ExpressionCompiler()
        self._numbers: dict[Hashable, int] = {}
        self._identities = StatementIdentities()
        # The keys that each provenance reads, by its number.
        self._reads: dict[int, tuple[str, ...]] = {}

    def intern(self, bundle: ExplainedBundle, path: KeyPath, cell: Cell) -> int:
        """Return the number of a cell's provenance, or `NO_ENTRY` if no layer sets it."""
        value_path = _source_path(bundle, path)
        if value_path is None:
            return NO_ENTRY
        key = self._cache_key(bundle, value_path, cell)
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = self._build(bundle, value_path)
        return number

    def reads(self, number: int) -> tuple[str, ...]:
        """Return the keys that a value is computed from, by the number of its provenance."""
        return self._reads.get(number, ())

    def lines(self, bundle: ExplainedBundle, keys: list[str]) -> tuple[KeySummary, ...]:
        """Return summaries of keys that are no cells: fields of entities, inputs, secrets, and whole maps."""
        return collect_sources(bundle, tuple(keys), self._compiler)

    def _cache_key(self, bundle: ExplainedBundle, value_path: ValuePath, cell: Cell) -> Hashable:
        """Return a cache key; two cells with the same key have the same provenance."""
        trace = value_path.merged_chain(bundle.merged)
        lock = find_lock(trace)
        # The provenance of a list contains the values of its elements.
        content = cell.comparison_key if trace and isinstance(trace[-1], MergedSequence) else b""
        key = value_path.path, self._identities.identify(bundle.stack, value_path), lock, content
        if value_path.path[0] not in ("env_vars", "secrets"):
            return key
        name = value_path.path[1]
        return *key, name in bundle.secret_variables, *self._injected_secret_key(bundle, name)

    def _injected_secret_key(self, bundle: ExplainedBundle, name: str) -> tuple[Hashable, ...]:
        """Return the part of the key for an injected secret: the statements about the entry, its lock, and its leaf."""
        entry = ValuePath("sections", ("secrets", name))
        trace = entry.merged_chain(bundle.merged)
        sealed = None
        if name in bundle.data["secrets"]:
            sealed = ValuePath("sealed", parse_path(str(trace[-1].node.value))).merged_value(bundle.merged)
        return self._identities.identify(bundle.stack, entry), find_lock(trace), id(sealed.node) if sealed else 0

    def _build(self, bundle: ExplainedBundle, value_path: ValuePath) -> int:
        """Build the provenance of a value, without the layers that do not set it: the bundle's layers imply those."""
        tables, layers = self._tables, bundle.stack.layers
        summary = summarize_key(bundle, value_path.path, self._compiler)
        elements = self._element_lines(bundle, value_path)
        winner, paths = bundle.winner(value_path.path), contributing_paths(value_path)
        secret = find_injected_secret(bundle, winner)
        entry = (
            tuple(
                tables.layer_entry(indexed.entry, layers[indexed.layer_index])
                for indexed in list_indexed_entries(bundle, paths, winner)
            ),
            *tables.span_entry(find_value_lock(bundle, paths)),
            tables.text(summary.expression),
            tuple(map(tables.text, summary.reads)),
            tables.secret(secret) if secret else NO_ENTRY,
            tuple(map(tables.line, elements)),
        )
        number = tables.provenances.intern(entry, entry)
        self._reads[number] = (*summary.reads, *(read for element in elements for read in element.reads))
        return number

    def _element_lines(self, bundle: ExplainedBundle, value_path: ValuePath) -> tuple[KeySummary, ...]:
        """Return summaries of the elements of a list, each with its own origin."""
        merged = value_path.merged_value(bundle.merged)
        indexes = child_values(merged) if isinstance(merged, MergedSequence) else ()
        return tuple(summarize_key(bundle, (*value_path.path, index), self._compiler) for index in indexes)


def _source_path(bundle: ExplainedBundle, path: KeyPath) -> ValuePath | None:
    """Return the path that a cell takes its value from: that of the expression for a part of its result."""
    if path == (MODEL_KEY,):
        return ValuePath("model", path)
    value_path = ValuePath("sections", path)
    trace = value_path.merged_chain(bundle.merged)
    if len(path) == 2 and path[0] == "env_vars":
        return value_path
    return ValuePath("sections", path[: len(trace)]) if trace else None
