"""Merge the outputs that several machines have compiled, byte for byte as one machine would have written it."""

from pathlib import Path

from envtree.delivery.merge_manifests.combined_manifest import combine_manifests
from envtree.delivery.merge_manifests.output_part import merge_artifacts, read_part
from envtree.engine.publish import Destinations
from envtree.model.artifact import Manifest

__all__ = ["merge_manifests"]


def merge_manifests(paths: tuple[Path, ...], destinations: Destinations) -> Manifest:
    """Write the bundles of all outputs to the destinations; RefusedError if they are not parts of one output."""
    parts = tuple(map(read_part, paths))
    manifest = combine_manifests(parts)
    written = destinations.for_manifest(manifest).write(merge_artifacts(parts), manifest.bundles, lambda: True)
    assert written is not None
    return written
