"""What layers and directives do over all stacks: one that does nothing in any of them is a mistake."""

from collections import Counter
from collections.abc import Container, Iterable
from typing import NamedTuple

from envtree.model.diagnostic import Diagnostic, RelatedSpan
from envtree.model.keypath import KeyPath, format_path
from envtree.model.layers import Layer
from envtree.model.merged import MergedValue, merged_span
from envtree.model.span import Span

# A layer by what tells it from all others, in every process.
LayerName = tuple[str, str, str]
ValueKey = tuple[LayerName, Span]


class EffectLog(NamedTuple):
    """Effects over some of the stacks, in a form that can be kept, or sent to another process.

    `useful` are the places of what changes something, and `idle` has a finding for each that did not somewhere;
    `merged` tells how often each layer was put over what is below it, and `repeats` how often one of its values was
    there already, with the finding; those that are `pinned` have a reason to be said.
    """

    effective: set[Span]
    noops: dict[Span, Diagnostic]
    merge_counts: Counter[LayerName]
    intended: set[ValueKey]
    redundant: dict[ValueKey, tuple[int, Diagnostic]]


def restrict_to_files(log: EffectLog, paths: Container[str]) -> EffectLog:
    """What of it is about some files only."""
    return EffectLog(
        {place for place in log.effective if place.path in paths},
        {place: finding for place, finding in log.noops.items() if place.path in paths},
        Counter({name: count for name, count in log.merge_counts.items() if name[2] in paths}),
        {place for place in log.intended if place[1].path in paths},
        {place: found for place, found in log.redundant.items() if place[1].path in paths},
    )


def effect_findings(logs: Iterable[EffectLog]) -> list[Diagnostic]:
    """One for each place that never changed anything in any of the parts, which are in the order of their stacks."""
    all = _combine_logs(logs)
    idle = [finding for place, finding in all.noops.items() if place not in all.effective]
    loose = ((mine[0], one) for mine, one in all.redundant.items() if mine not in all.intended)
    return [*idle, *(finding for layer, (count, finding) in loose if count == all.merge_counts[layer])]


class Effects:
    """Notes what happens while stacks are merged."""

    def __init__(self) -> None:
        self._log = EffectLog(set(), {}, Counter(), set(), {})
        # By the layer itself, for its name takes longer to make than this is to count.
        self._merge_counts: dict[Layer, int] = {}

    @property
    def log(self) -> EffectLog:
        """All of it."""
        merged: Counter[LayerName] = Counter()
        for layer, count in self._merge_counts.items():
            merged[_layer_name(layer)] += count
        return self._log._replace(merge_counts=merged)

    def count_merge(self, layer: Layer) -> None:
        """A layer has been put over what is below it once more."""
        self._merge_counts[layer] = self._merge_counts.get(layer, 0) + 1

    def mark_intended(self, value: MergedValue) -> None:
        """A layer has a reason to say a value, whatever is below it."""
        self._log.intended.add(_value_key(value))

    def mark_redundant(self, below: MergedValue, value: MergedValue, path: KeyPath) -> None:
        """A layer says what is below it already."""
        mine, repeats = _value_key(value), self._log.redundant
        count = repeats[mine][0] if mine in repeats else 0
        repeats[mine] = (count + 1, _redundant_finding(path, below, value))

    def mark_effective(self, span: Span) -> None:
        """What stands at a place changes something."""
        self._log.effective.add(span)

    def mark_noop(self, finding: Diagnostic) -> None:
        """What stands at the place of a finding changes nothing here."""
        self._log.noops.setdefault(finding.span, finding)


def _combine_logs(logs: Iterable[EffectLog]) -> EffectLog:
    whole = EffectLog(set(), {}, Counter(), set(), {})
    for part in logs:
        whole.effective.update(part.effective)
        whole.noops.update({place: finding for place, finding in part.noops.items() if place not in whole.noops})
        whole.merge_counts.update(part.merge_counts)
        whole.intended.update(part.intended)
        for mine, (count, finding) in part.redundant.items():
            before = whole.redundant[mine][0] if mine in whole.redundant else 0
            whole.redundant[mine] = (before + count, finding)
    return whole


def _layer_name(layer: Layer) -> LayerName:
    return layer.kind, layer.scope, layer.path


def _value_key(value: MergedValue) -> ValueKey:
    return _layer_name(value.layer), merged_span(value)


def _redundant_finding(path: KeyPath, below: MergedValue, value: MergedValue) -> Diagnostic:
    message = f"'{format_path(path)}' says again what is inherited"
    related = (RelatedSpan(merged_span(below), "the inherited value"),)
    return Diagnostic(
        merged_span(value),
        "ET452",
        message,
        "remove it, unless it is pinned here on purpose",
        related,
        format_path(path),
    )
