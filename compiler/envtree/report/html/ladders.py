"""The ladders of all cells: where the layers of two bundles say the same of a key, its ladder is built once."""

from collections.abc import Hashable

from envtree.compile.resolve.expression import Compiler
from envtree.compile.resolve.grammar import WrongExpression
from envtree.model.expression import Expression
from envtree.model.keypath import KeyPath, parse_path
from envtree.model.merged import Listing
from envtree.model.value_path import MODEL, Place, lock_of, parts
from envtree.output.bundle_cells import Cell
from envtree.queries.explain import Explained
from envtree.queries.explain.layer_trace import lock_at, places_of, secret_at, spoken
from envtree.queries.explain.lines import line, sources
from envtree.queries.explain.model import Line
from envtree.queries.layer_statements import Identities
from envtree.report.html.tables import NONE, Tables

_UNREADABLE = Expression((), (), False, False, False, ())


class _Lenient(Compiler):
    """An expression that cannot be read reads nothing: what is wrong with it is a finding."""

    def compile(self, text: str) -> Expression:
        try:
            return super().compile(text)
        except WrongExpression:
            return _UNREADABLE


class Ladders:
    """What was said of the keys of all bundles so far."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._compiler = _Lenient()
        self._known: dict[Hashable, int] = {}
        self._identities = Identities()
        # What each ladder reads, by its number.
        self._reads: dict[int, tuple[str, ...]] = {}

    def number(self, bundle: Explained, path: KeyPath, cell: Cell) -> int:
        """The number of the ladder of a cell, `NONE` where no layer has a say."""
        place = _place(bundle, path)
        if place is None:
            return NONE
        same = self._sameness(bundle, place, cell)
        found = self._known.get(same)
        if found is None:
            found = self._known[same] = self._write(bundle, place)
        return found

    def reads(self, ladder: int) -> tuple[str, ...]:
        """The keys that the values of a ladder are computed from."""
        return self._reads.get(ladder, ())

    def lines(self, bundle: Explained, keys: list[str]) -> tuple[Line, ...]:
        """What is read beside cells: facts about entities, inputs, secrets, and maps as a whole."""
        return sources(bundle, tuple(keys), self._compiler)

    def _sameness(self, bundle: Explained, place: Place, cell: Cell) -> Hashable:
        """What two cells have in common whose ladders are the same."""
        trace = place.trace(bundle.merged)
        lock = lock_of(trace)
        # The elements of a list are told with their values.
        content = cell.mark if trace and isinstance(trace[-1], Listing) else b""
        same = place.path, self._identities.of(bundle.stack, place), lock, content
        if place.path[0] not in ("env_vars", "secrets"):
            return same
        name = place.path[1]
        return *same, name in bundle.secretive, *self._injected(bundle, name)

    def _injected(self, bundle: Explained, name: str) -> tuple[Hashable, ...]:
        """What is said of the secret that is injected: the entry, its lock, and the leaf that it chooses."""
        entry = Place("sections", ("secrets", name))
        trace = entry.trace(bundle.merged)
        sealed = None
        if name in bundle.data["secrets"]:
            sealed = Place("sealed", parse_path(str(trace[-1].node.value))).at(bundle.merged)
        return self._identities.of(bundle.stack, entry), lock_of(trace), id(sealed.node) if sealed else 0

    def _write(self, bundle: Explained, place: Place) -> int:
        """Build a ladder; that a layer has nothing to say follows from the order of the bundle."""
        tables, layers = self._tables, bundle.stack.layers
        told, elements = line(bundle, place.path, self._compiler), self._elements(bundle, place)
        winner, places = bundle.winner(place.path), places_of(place)
        secret = secret_at(bundle, winner)
        entry = (
            tuple(tables.rung(one.rung, layers[one.step]) for one in spoken(bundle, places, winner)),
            *tables.place(lock_at(bundle, places)),
            tables.text(told.expression),
            tuple(map(tables.text, told.reads)),
            tables.secret(secret) if secret else NONE,
            tuple(map(tables.line, elements)),
        )
        found = tables.ladders.number(entry, entry)
        self._reads[found] = (*told.reads, *(read for element in elements for read in element.reads))
        return found

    def _elements(self, bundle: Explained, place: Place) -> tuple[Line, ...]:
        """The elements of a list, each with its own origin."""
        merged = place.at(bundle.merged)
        indexes = parts(merged) if isinstance(merged, Listing) else ()
        return tuple(line(bundle, (*place.path, index), self._compiler) for index in indexes)


def _place(bundle: Explained, path: KeyPath) -> Place | None:
    """Where the value of a cell comes from: for one inside the data of an expression, the expression."""
    if path == (MODEL,):
        return Place("model", path)
    place = Place("sections", path)
    trace = place.trace(bundle.merged)
    if len(path) == 2 and path[0] == "env_vars":
        return place
    return Place("sections", path[: len(trace)]) if trace else None
