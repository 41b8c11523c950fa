"""What layers and directives do over all stacks: one that does nothing in any of them is a mistake."""

from collections import Counter
from collections.abc import Container, Iterable
from typing import NamedTuple

from envtree.model.diagnostic import Diagnostic, Related
from envtree.model.keypath import KeyPath, format_path
from envtree.model.layers import Layer
from envtree.model.merged import Merged, span_of
from envtree.model.span import Span

# A layer by what tells it from all others, in every process.
LayerName = tuple[str, str, str]
Place = tuple[LayerName, Span]


class Seen(NamedTuple):
    """Effects over some of the stacks, in a form that can be kept, or sent to another process.

    `useful` are the places of what changes something, and `idle` has a finding for each that did not somewhere;
    `merged` tells how often each layer was put over what is below it, and `repeats` how often one of its values was
    there already, with the finding; those that are `pinned` have a reason to be said.
    """

    useful: set[Span]
    idle: dict[Span, Diagnostic]
    merged: Counter[LayerName]
    pinned: set[Place]
    repeats: dict[Place, tuple[int, Diagnostic]]


def within(seen: Seen, paths: Container[str]) -> Seen:
    """What of it is about some files only."""
    return Seen(
        {place for place in seen.useful if place.path in paths},
        {place: finding for place, finding in seen.idle.items() if place.path in paths},
        Counter({name: count for name, count in seen.merged.items() if name[2] in paths}),
        {place for place in seen.pinned if place[1].path in paths},
        {place: found for place, found in seen.repeats.items() if place[1].path in paths},
    )


def findings(parts: Iterable[Seen]) -> list[Diagnostic]:
    """One for each place that never changed anything in any of the parts, which are in the order of their stacks."""
    all = _together(parts)
    idle = [finding for place, finding in all.idle.items() if place not in all.useful]
    loose = ((mine[0], one) for mine, one in all.repeats.items() if mine not in all.pinned)
    return [*idle, *(finding for layer, (count, finding) in loose if count == all.merged[layer])]


class Effects:
    """Notes what happens while stacks are merged."""

    def __init__(self) -> None:
        self._noted = Seen(set(), {}, Counter(), set(), {})
        # By the layer itself, for its name takes longer to make than this is to count.
        self._merged: dict[Layer, int] = {}

    @property
    def noted(self) -> Seen:
        """All of it."""
        merged: Counter[LayerName] = Counter()
        for layer, count in self._merged.items():
            merged[_name(layer)] += count
        return self._noted._replace(merged=merged)

    def merged(self, layer: Layer) -> None:
        """A layer has been put over what is below it once more."""
        self._merged[layer] = self._merged.get(layer, 0) + 1

    def pin(self, value: Merged) -> None:
        """A layer has a reason to say a value, whatever is below it."""
        self._noted.pinned.add(_place(value))

    def repeat(self, below: Merged, value: Merged, path: KeyPath) -> None:
        """A layer says what is below it already."""
        mine, repeats = _place(value), self._noted.repeats
        count = repeats[mine][0] if mine in repeats else 0
        repeats[mine] = (count + 1, _repeated(path, below, value))

    def useful(self, place: Span) -> None:
        """What stands at a place changes something."""
        self._noted.useful.add(place)

    def idle(self, finding: Diagnostic) -> None:
        """What stands at the place of a finding changes nothing here."""
        self._noted.idle.setdefault(finding.span, finding)


def _together(parts: Iterable[Seen]) -> Seen:
    whole = Seen(set(), {}, Counter(), set(), {})
    for part in parts:
        whole.useful.update(part.useful)
        whole.idle.update({place: finding for place, finding in part.idle.items() if place not in whole.idle})
        whole.merged.update(part.merged)
        whole.pinned.update(part.pinned)
        for mine, (count, finding) in part.repeats.items():
            before = whole.repeats[mine][0] if mine in whole.repeats else 0
            whole.repeats[mine] = (before + count, finding)
    return whole


def _name(layer: Layer) -> LayerName:
    return layer.kind, layer.scope, layer.path


def _place(value: Merged) -> Place:
    return _name(value.layer), span_of(value)


def _repeated(path: KeyPath, below: Merged, value: Merged) -> Diagnostic:
    message = f"'{format_path(path)}' says again what is inherited"
    related = (Related(span_of(below), "the inherited value"),)
    return Diagnostic(
        span_of(value), "ET452", message, "remove it, unless it is pinned here on purpose", related, format_path(path)
    )
