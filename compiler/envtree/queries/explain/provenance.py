"""`provenance.json`: for every key of a bundle who set it and what that stands over, at which lines; never a secret."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from envtree.compile.resolve.expression import Compiler
from envtree.engine.publish import Files
from envtree.engine.run import Result, Run
from envtree.model.canonical_json import canonical
from envtree.model.keypath import KeyPath
from envtree.model.merged import Merged
from envtree.model.resolved import Bundle
from envtree.model.span import Span
from envtree.model.value_path import MODEL, Place, lock_of
from envtree.model.workspace import Workspace
from envtree.queries.explain import order
from envtree.queries.explain.bundle import Explained, Explainer, keys
from envtree.queries.explain.layer_trace import places_of, secret_at, spoken
from envtree.queries.explain.lines import line
from envtree.queries.explain.replay import Steps, replayed
from envtree.queries.explain.to_json import order_data, provenance_data, rung_data
from envtree.queries.layer_statements import Identities

FILE = "provenance.json"


def provenance(run: Run) -> Iterator[tuple[Result, Files]]:
    """The bundles of a run, each with its `provenance.json` as long as there is no error."""
    if run.workspace is None:
        return
    told = _Provenance(run.workspace, run.inputs_read())
    for result, steps in replayed(run.results(), run.workspace.organization):
        # What is wrong with an expression has been told, and cannot be explained.
        broken = run.watch.found()
        yield result, () if broken else ((FILE, canonical(told.data(result.bundle, steps))),)


class _Said(NamedTuple):
    """What was said of a value of the bundle before; `data` is all of it where that depends on nothing else."""

    values: tuple[Merged | None, ...]
    said: tuple[tuple[int, ...], ...]
    winner: Place
    lock: Span | None
    secretive: frozenset[str]
    layers: list[dict[str, Any]]
    data: dict[str, Any] | None


class _Provenance:
    """Neighbours have most of their values from the same layers: what is the same is put together once."""

    def __init__(self, workspace: Workspace, inputs: Mapping[str, str]) -> None:
        self._explainer = Explainer(workspace, inputs)
        self._compiler = Compiler()
        self._identities = Identities()
        self._before: dict[Place, _Said] = {}

    def data(self, bundle: Bundle, steps: Steps) -> dict[str, Any]:
        """All that there is to say of a bundle."""
        explained = self._explainer.explained(bundle, steps)
        injected = {name for step in steps for name in step.entries("secrets")}
        told = [self._key(explained, path, injected) for path in keys(explained)]
        return order_data(bundle.target.id, order(explained)) | {"keys": told}

    def _key(self, bundle: Explained, path: KeyPath, injected: set[str]) -> dict[str, Any]:
        place = Place("model" if path == (MODEL,) else "sections", path)
        # Most variables were never to be injected by any layer.
        places = places_of(place) if path[-1] in injected else (place,)
        traces = [one.trace(bundle.merged) for one in places]
        values = tuple(
            trace[-1] if len(trace) == len(one.path) else None for one, trace in zip(places, traces, strict=True)
        )
        winner, lock = bundle.winner(path), next(filter(None, map(lock_of, traces)), None)
        # Values that end alike may have begun otherwise: what was deleted below them leaves no trace in them.
        said = tuple(self._identities.of(bundle.stack, one) for one in places)
        known = self._before.get(place)
        if known and _are_same(known.values, values) and known[1:5] == (said, winner, lock, bundle.secretive):
            if known.data:
                return known.data
            layers = known.layers
        else:
            layers = [rung_data(one.rung) for one in spoken(bundle, places, winner)]
        data = provenance_data(line(bundle, path, self._compiler), layers, lock, secret_at(bundle, winner))
        fixed = len(values) == 1 and values[0] is not None and not values[0].dynamic
        self._before[place] = _Said(values, said, winner, lock, bundle.secretive, layers, data if fixed else None)
        return data


def _are_same(values: tuple[Merged | None, ...], others: tuple[Merged | None, ...]) -> bool:
    """Whether the same layers made the values of two bundles.

    Of a place without a value this is not known: it may have been deleted elsewhere, or never set.
    """
    pairs = zip(values, others, strict=False)
    return len(values) == len(others) and all(one is other is not None for one, other in pairs)
