"""Which bundles two trees may have different: told by their files alone, so none is missed and nothing is computed."""

from envtree.engine.bundle_files import list_bundle_files
from envtree.engine.run import Run


def find_affected(base: Run, head: Run) -> frozenset[str]:
    """The ids of both trees whose files differ in any way, or that only one of the trees has."""
    before, after = dict(list_bundle_files(base)), dict(list_bundle_files(head))
    return frozenset(id for id in before.keys() | after.keys() if before.get(id) != after.get(id))
