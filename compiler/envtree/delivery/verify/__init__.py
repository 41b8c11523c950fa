"""Hold an output, a folder or an archive, against its own manifest: which bundle is not as it was compiled."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from envtree import EDITION
from envtree.delivery.verify.contents import Contents, contents
from envtree.delivery.verify.problem import Problem
from envtree.model.artifact import Manifest
from envtree.model.diagnostic import Refusal
from envtree.model.manifest_records import Record
from envtree.system import disk

__all__ = ["Problem", "Verdict", "verify"]


class Verdict(NamedTuple):
    """What was found: `digest` is the SHA-256 of the manifest, which whoever compiled may have told somewhere else."""

    manifest: Manifest
    digest: str
    problems: tuple[Problem, ...]

    @property
    def touched(self) -> tuple[str, ...]:
        """The bundles that are not as they were compiled, sorted."""
        return tuple(sorted({each.bundle for each in self.problems if each.bundle}))


def verify(path: Path) -> Verdict:
    """Look at every file of an output; a Refusal if there is no manifest that can be read."""
    found = contents(path)
    data = found.manifest
    if data is None:
        raise Refusal("ET631", f"there is no '{disk.MANIFEST}' in '{path}'", "name an output of 'envtree compile'")
    try:
        manifest = disk.parse_manifest(data)
    except ValueError:
        message = f"the '{disk.MANIFEST}' in '{path}' is none that envtree wrote"
        raise Refusal("ET631", message, "fetch the output again, or compile it again") from None
    problems = (*_known(manifest), *_differing(manifest, found), *_unlisted(manifest, found))
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    return Verdict(manifest, digest, tuple(sorted(problems)))


def _known(manifest: Manifest) -> Iterator[Problem]:
    if manifest.edition != EDITION:
        message = f"it is of edition {manifest.edition}, and this envtree knows {EDITION}"
        yield Problem(disk.MANIFEST, "edition", "", message)


def _differing(manifest: Manifest, found: Contents) -> Iterator[Problem]:
    for id, record in manifest.records():
        wrong = list(_wrong(id, record, found))
        yield from wrong or _contradicting(id, record, found)


def _wrong(id: str, record: Record, found: Contents) -> Iterator[Problem]:
    for name, (sha, size) in record.files.items():
        path = f"{record.folder}/{name}"
        content = found.files.get(path)
        if path in found.faults:
            yield Problem(path, "changed", id, found.faults[path])
        elif content is None:
            yield Problem(path, "missing", id, "it is missing")
        elif (content.sha, content.size) != (sha, size):
            yield Problem(path, "changed", id, "it was changed")


def _contradicting(id: str, record: Record, found: Contents) -> Iterator[Problem]:
    """What a bundle says of itself and its manifest does not, though the files are those that the manifest names."""
    for name in record.files:
        path = f"{record.folder}/{name}"
        content = found.files[path]
        if content.digest is None:
            continue
        if content.id != id:
            yield Problem(path, "contradicting", id, f"it holds the bundle '{content.id}'")
        elif content.digest != record.digest:
            yield Problem(path, "contradicting", id, "its digest is that of another bundle")


def _unlisted(manifest: Manifest, found: Contents) -> Iterator[Problem]:
    """Files among those of bundles, which whoever reads all of a folder would read too, and what is no file."""
    folders = {record.folder: id for id, record in manifest.records()}
    listed = {path for id, _ in manifest.records() for path in manifest.paths(id)}
    for path in found.files.keys() - listed:
        yield Problem(path, "unlisted", folders.get(path.rpartition("/")[0], ""), "the manifest does not list it")
    for path in found.faults.keys() - listed:
        yield Problem(path, "unsafe", "", found.faults[path])
