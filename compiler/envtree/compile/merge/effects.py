"""Record the effects of layers and directives over all stacks: one that has none in any stack is a mistake."""

from collections import Counter
from collections.abc import Container, Iterable
from typing import NamedTuple

from envtree.model.diagnostic import Diagnostic, RelatedSpan
from envtree.model.keypath import KeyPath, format_path
from envtree.model.layers import Layer
from envtree.model.merged import MergedValue, merged_span
from envtree.model.span import Span

# Kind, scope and path: they identify a layer in every process.
LayerName = tuple[str, str, str]
ValueKey = tuple[LayerName, Span]


class EffectLog(NamedTuple):
    """Effects over some of the stacks, in a form that can be stored or sent to another process.

    `effective` are the places of statements that changed something, and `noops` has a finding for each statement that
    changed nothing in some stack. `merge_counts` has how often each layer was merged, and `redundant` how often one of
    its values repeated the value below, with the finding; the values in `intended` have a reason to be repeated.
    """

    effective: set[Span]
    noops: dict[Span, Diagnostic]
    merge_counts: Counter[LayerName]
    intended: set[ValueKey]
    redundant: dict[ValueKey, tuple[int, Diagnostic]]


def restrict_to_files(log: EffectLog, paths: Container[str]) -> EffectLog:
    """Return the part of a log that concerns the files with the given paths."""
    return EffectLog(
        effective={span for span in log.effective if span.path in paths},
        noops={span: finding for span, finding in log.noops.items() if span.path in paths},
        merge_counts=Counter({name: count for name, count in log.merge_counts.items() if name[2] in paths}),
        intended={key for key in log.intended if key[1].path in paths},
        redundant={key: repeats for key, repeats in log.redundant.items() if key[1].path in paths},
    )


def effect_findings(logs: Iterable[EffectLog]) -> list[Diagnostic]:
    """Return a finding for each statement without effect in any of the logs, which are in the order of their stacks."""
    log = _combine_logs(logs)
    noops = [finding for span, finding in log.noops.items() if span not in log.effective]
    redundant = (
        finding
        for key, (count, finding) in log.redundant.items()
        if key not in log.intended and count == log.merge_counts[key[0]]
    )
    return [*noops, *redundant]


class Effects:
    """Recorder of the effects of layers while stacks are merged."""

    def __init__(self) -> None:
        self._log = EffectLog(set(), {}, Counter(), set(), {})
        # Keyed by the layer itself, since making its name takes longer than counting.
        self._merge_counts: dict[Layer, int] = {}

    @property
    def log(self) -> EffectLog:
        """The log of all effects so far."""
        merge_counts: Counter[LayerName] = Counter()
        for layer, count in self._merge_counts.items():
            merge_counts[_layer_name(layer)] += count
        return self._log._replace(merge_counts=merge_counts)

    def count_merge(self, layer: Layer) -> None:
        """Count one more merge of a layer."""
        self._merge_counts[layer] = self._merge_counts.get(layer, 0) + 1

    def mark_intended(self, value: MergedValue) -> None:
        """Record that a layer has a reason to state a value, whatever is below it."""
        self._log.intended.add(_value_key(value))

    def mark_redundant(self, below: MergedValue, value: MergedValue, path: KeyPath) -> None:
        """Record that a layer repeats the value below it."""
        key, redundant = _value_key(value), self._log.redundant
        count = redundant[key][0] if key in redundant else 0
        redundant[key] = (count + 1, _redundant_finding(path, below, value))

    def mark_effective(self, span: Span) -> None:
        """Record that the statement at a place changes something."""
        self._log.effective.add(span)

    def mark_noop(self, finding: Diagnostic) -> None:
        """Record that the statement at the place of a finding changes nothing in this stack."""
        self._log.noops.setdefault(finding.span, finding)


def _combine_logs(logs: Iterable[EffectLog]) -> EffectLog:
    combined = EffectLog(set(), {}, Counter(), set(), {})
    for log in logs:
        combined.effective.update(log.effective)
        combined.noops.update({span: finding for span, finding in log.noops.items() if span not in combined.noops})
        combined.merge_counts.update(log.merge_counts)
        combined.intended.update(log.intended)
        for key, (count, finding) in log.redundant.items():
            previous = combined.redundant[key][0] if key in combined.redundant else 0
            combined.redundant[key] = (previous + count, finding)
    return combined


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
