"""Find the bundles that may differ between two trees by their files alone: complete, and without computing a value."""

from envtree.engine.bundle_files import list_bundle_files
from envtree.engine.run import Run


def find_affected(base: Run, head: Run) -> frozenset[str]:
    """Return the ids of bundles whose files differ in any way, or that only one of the trees has."""
    base_files, head_files = dict(list_bundle_files(base)), dict(list_bundle_files(head))
    return frozenset(id for id in base_files.keys() | head_files.keys() if base_files.get(id) != head_files.get(id))
