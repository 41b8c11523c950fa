"""The ladders of all cells: where the layers of two bundles say the same of a key, its ladder is built once."""

from collections.abc import Hashable

from envtree.compile.resolve.expression_compiler import ExpressionCompiler
from envtree.compile.resolve.expression_grammar import ExpressionError
from envtree.model.expression import Expression
from envtree.model.keypath import KeyPath, parse_path
from envtree.model.merged import MergedSequence
from envtree.model.value_path import MODEL_KEY, ValuePath, child_values, find_lock
from envtree.output.bundle_cells import Cell
from envtree.queries.explain import ExplainedBundle
from envtree.queries.explain.key_summaries import collect_sources, summarize_key
from envtree.queries.explain.layer_trace import (
    contributing_paths,
    find_injected_secret,
    find_value_lock,
    list_indexed_entries,
)
from envtree.queries.explain.provenance_model import KeySummary
from envtree.queries.layer_statements import StatementIdentities
from envtree.report.html.tables import NO_ENTRY, Tables

_EMPTY_EXPRESSION = Expression((), (), False, False, False, ())


class _TolerantExpressionCompiler(ExpressionCompiler):
    """An expression that cannot be read reads nothing: what is wrong with it is a finding."""

    def compile(self, text: str) -> Expression:
        try:
            return super().compile(text)
        except ExpressionError:
            return _EMPTY_EXPRESSION


class ProvenanceTable:
    """What was said of the keys of all bundles so far."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._compiler = _TolerantExpressionCompiler()
        self._numbers: dict[Hashable, int] = {}
        self._identities = StatementIdentities()
        # What each ladder reads, by its number.
        self._reads: dict[int, tuple[str, ...]] = {}

    def intern(self, bundle: ExplainedBundle, path: KeyPath, cell: Cell) -> int:
        """The number of the ladder of a cell, `NONE` where no layer has a say."""
        place = _source_path(bundle, path)
        if place is None:
            return NO_ENTRY
        same = self._cache_key(bundle, place, cell)
        found = self._numbers.get(same)
        if found is None:
            found = self._numbers[same] = self._build(bundle, place)
        return found

    def reads(self, ladder: int) -> tuple[str, ...]:
        """The keys that the values of a ladder are computed from."""
        return self._reads.get(ladder, ())

    def lines(self, bundle: ExplainedBundle, keys: list[str]) -> tuple[KeySummary, ...]:
        """What is read beside cells: facts about entities, inputs, secrets, and maps as a whole."""
        return collect_sources(bundle, tuple(keys), self._compiler)

    def _cache_key(self, bundle: ExplainedBundle, place: ValuePath, cell: Cell) -> Hashable:
        """What two cells have in common whose ladders are the same."""
        trace = place.merged_chain(bundle.merged)
        lock = find_lock(trace)
        # The elements of a list are told with their values.
        content = cell.comparison_key if trace and isinstance(trace[-1], MergedSequence) else b""
        same = place.path, self._identities.identify(bundle.stack, place), lock, content
        if place.path[0] not in ("env_vars", "secrets"):
            return same
        name = place.path[1]
        return *same, name in bundle.secret_variables, *self._injected_secret_key(bundle, name)

    def _injected_secret_key(self, bundle: ExplainedBundle, name: str) -> tuple[Hashable, ...]:
        """What is said of the secret that is injected: the entry, its lock, and the leaf that it chooses."""
        entry = ValuePath("sections", ("secrets", name))
        trace = entry.merged_chain(bundle.merged)
        sealed = None
        if name in bundle.data["secrets"]:
            sealed = ValuePath("sealed", parse_path(str(trace[-1].node.value))).merged_value(bundle.merged)
        return self._identities.identify(bundle.stack, entry), find_lock(trace), id(sealed.node) if sealed else 0

    def _build(self, bundle: ExplainedBundle, place: ValuePath) -> int:
        """Build a ladder; that a layer has nothing to say follows from the order of the bundle."""
        tables, layers = self._tables, bundle.stack.layers
        told, elements = summarize_key(bundle, place.path, self._compiler), self._element_lines(bundle, place)
        winner, places = bundle.winner(place.path), contributing_paths(place)
        secret = find_injected_secret(bundle, winner)
        entry = (
            tuple(
                tables.layer_entry(one.entry, layers[one.layer_index])
                for one in list_indexed_entries(bundle, places, winner)
            ),
            *tables.span_entry(find_value_lock(bundle, places)),
            tables.text(told.expression),
            tuple(map(tables.text, told.reads)),
            tables.secret(secret) if secret else NO_ENTRY,
            tuple(map(tables.line, elements)),
        )
        found = tables.ladders.intern(entry, entry)
        self._reads[found] = (*told.reads, *(read for element in elements for read in element.reads))
        return found

    def _element_lines(self, bundle: ExplainedBundle, place: ValuePath) -> tuple[KeySummary, ...]:
        """The elements of a list, each with its own origin."""
        merged = place.merged_value(bundle.merged)
        indexes = child_values(merged) if isinstance(merged, MergedSequence) else ()
        return tuple(summarize_key(bundle, (*place.path, index), self._compiler) for index in indexes)


def _source_path(bundle: ExplainedBundle, path: KeyPath) -> ValuePath | None:
    """Where the value of a cell comes from: for one inside the data of an expression, the expression."""
    if path == (MODEL_KEY,):
        return ValuePath("model", path)
    place = ValuePath("sections", path)
    trace = place.merged_chain(bundle.merged)
    if len(path) == 2 and path[0] == "env_vars":
        return place
    return ValuePath("sections", path[: len(trace)]) if trace else None
