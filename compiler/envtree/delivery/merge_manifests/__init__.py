"""Make one output of those that several machines have compiled: byte by byte what one machine would have written."""

from pathlib import Path

from envtree.delivery.merge_manifests.agreement import agreed
from envtree.delivery.merge_manifests.part import artifacts, part
from envtree.engine.publish import Places
from envtree.model.artifact import Manifest

__all__ = ["combine"]


def combine(paths: tuple[Path, ...], places: Places) -> Manifest:
    """Write the bundles of all outputs to the places; a Refusal if they are not the parts of one."""
    parts = tuple(map(part, paths))
    whole = agreed(parts)
    put = places.like(whole).put(artifacts(parts), whole.bundles, lambda: True)
    assert put is not None
    return put
