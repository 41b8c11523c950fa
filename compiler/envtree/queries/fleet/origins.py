"""Find the locations at which a value of a bundle was written."""

from collections.abc import Iterator
from typing import Any

from envtree.engine.request import BundleResult
from envtree.model.keypath import KeyPath
from envtree.model.merged import MergedMapping, MergedSequence, MergedValue, merged_span
from envtree.model.span import Span
from envtree.model.value_path import MODEL_KEY, ValuePath
from envtree.output.bundle_cells import sealed_leaves


def find_origins(result: BundleResult, path: KeyPath, value: Any) -> Iterator[Span]:
    """Yield the location of a value, or of a map's parts, then those of the secrets in the bundle's value."""
    resolved = result.resolved
    injection = resolved.injected.get(path[1]) if path[0] == "env_vars" and len(path) == 2 else None
    if injection:
        yield merged_span(injection.selected_by)
    else:
        trace = ValuePath("model" if path == (MODEL_KEY,) else "sections", path).merged_chain(resolved.merged)
        yield from _origin_spans(trace[-1]) if trace else ()
    yield from map(merged_span, sealed_leaves(value))


def _origin_spans(value: MergedValue) -> Iterator[Span]:
    """Yield the locations of a value, of a map's parts, or of a list's elements."""
    if isinstance(value, MergedSequence) and value.items:
        yield from map(merged_span, value.items)
    elif isinstance(value, MergedMapping) and value.entries:
        for part in value.entries.values():
            yield from _origin_spans(part)
    else:
        yield merged_span(value)
