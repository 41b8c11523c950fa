"""Compare bundles with an output folder, for `compile --check`: nothing is written."""

import os
from collections.abc import Iterable

from envtree import disk
from envtree.artifact import Artifact, Output, Receipt
from envtree.canonical import canonical
from envtree.disk import State


def compare(artifacts: Iterable[Artifact], output: Output) -> list[str]:
    """The files that a run would write or remove, relative to the output, sorted."""
    root = os.path.abspath(output.folder)
    with disk.errors(output.folder):
        old = disk.load_manifest(root, output.mode, output.edition)
    found: list[str] = []
    receipts: dict[str, Receipt] = {}
    for artifact in artifacts:
        receipts[artifact.id] = artifact.receipt()
        files = {f"{artifact.folder}/{name}": data for name, data in artifact.files}
        with disk.errors(output.folder):
            found.extend(path for path, data in files.items() if _differs(root, path, data))
        found.extend(path for path in old.paths(artifact.id) if path not in files)
    gone = (id for id in old.bundles if id not in receipts and output.selects(id))
    found.extend(path for id in gone for path in old.paths(id))
    manifest = canonical(output.successor(old, receipts).data())
    with disk.errors(output.folder):
        found.extend(path for path, differs in _own(root, output, manifest) if differs)
    return sorted(found)


def _own(root: str, output: Output, manifest: bytes) -> list[tuple[str, bool]]:
    ignored = not _differs(root, disk.IGNORE, disk.IGNORE_TEXT)
    return [
        (disk.MANIFEST, _differs(root, disk.MANIFEST, manifest)),
        (disk.IGNORE, ignored != (output.mode == "plain")),
    ]


def _differs(root: str, path: str, data: bytes) -> bool:
    return disk.state(f"{root}/{path}", data) is not State.SAME
