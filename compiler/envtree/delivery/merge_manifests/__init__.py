"""Make one output of those that several machines have compiled: byte by byte what one machine would have written."""

from pathlib import Path

from envtree.delivery.merge_manifests.combined_manifest import combine_manifests
from envtree.delivery.merge_manifests.output_part import merge_artifacts, read_part
from envtree.engine.publish import Destinations
from envtree.model.artifact import Manifest

__all__ = ["merge_manifests"]


def merge_manifests(paths: tuple[Path, ...], places: Destinations) -> Manifest:
    """Write the bundles of all outputs to the places; a Refusal if they are not the parts of one."""
    parts = tuple(map(read_part, paths))
    whole = combine_manifests(parts)
    put = places.for_manifest(whole).write(merge_artifacts(parts), whole.bundles, lambda: True)
    assert put is not None
    return put
