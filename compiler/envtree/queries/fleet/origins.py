"""Where a value of a bundle was written, in as many places as it takes."""

from collections.abc import Iterator
from typing import Any

from envtree.engine.run import Result
from envtree.model.keypath import KeyPath
from envtree.model.merged import Branch, Listing, Merged, span_of
from envtree.model.span import Span
from envtree.model.value_path import MODEL, Place
from envtree.output.bundle_cells import sealed_leaves


def origins(result: Result, path: KeyPath, value: Any) -> Iterator[Span]:
    """The place of the winner, for a map those of its parts, then the places of the secrets in the bundle's value."""
    resolved = result.resolved
    injection = resolved.injected.get(path[1]) if path[0] == "env_vars" and len(path) == 2 else None
    if injection:
        yield span_of(injection.chosen)
    else:
        trace = Place("model" if path == (MODEL,) else "sections", path).trace(resolved.merged)
        yield from _places(trace[-1]) if trace else ()
    yield from map(span_of, sealed_leaves(value))


def _places(value: Merged) -> Iterator[Span]:
    """The places of a value, of a map's parts, or of a list's elements."""
    if isinstance(value, Listing) and value.items:
        yield from map(span_of, value.items)
    elif isinstance(value, Branch) and value.entries:
        for part in value.entries.values():
            yield from _places(part)
    else:
        yield span_of(value)
