"""Hold an output, a folder or an archive, against its own manifest: which bundle is not as it was compiled."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from envtree import EDITION
from envtree.delivery.verify.contents import OutputContents, read_contents
from envtree.delivery.verify.problem import Problem
from envtree.model.artifact import Manifest
from envtree.model.diagnostic import RefusedError
from envtree.model.manifest_records import ManifestRecord
from envtree.system import disk

__all__ = ["Problem", "VerificationResult", "verify"]


class VerificationResult(NamedTuple):
    """What was found: `digest` is the SHA-256 of the manifest, which whoever compiled may have told somewhere else."""

    manifest: Manifest
    digest: str
    problems: tuple[Problem, ...]

    @property
    def changed_bundles(self) -> tuple[str, ...]:
        """The bundles that are not as they were compiled, sorted."""
        return tuple(sorted({each.bundle for each in self.problems if each.bundle}))


def verify(path: Path) -> VerificationResult:
    """Look at every file of an output; a Refusal if there is no manifest that can be read."""
    found = read_contents(path)
    data = found.manifest
    if data is None:
        raise RefusedError(
            "ET631", f"there is no '{disk.MANIFEST_FILE}' in '{path}'", "name an output of 'envtree compile'"
        )
    try:
        manifest = disk.parse_manifest(data)
    except ValueError:
        message = f"the '{disk.MANIFEST_FILE}' in '{path}' is none that envtree wrote"
        raise RefusedError("ET631", message, "fetch the output again, or compile it again") from None
    problems = (
        *_check_edition(manifest),
        *_find_changed_bundles(manifest, found),
        *_find_unlisted_files(manifest, found),
    )
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    return VerificationResult(manifest, digest, tuple(sorted(problems)))


def _check_edition(manifest: Manifest) -> Iterator[Problem]:
    if manifest.edition != EDITION:
        message = f"it is of edition {manifest.edition}, and this envtree knows {EDITION}"
        yield Problem(disk.MANIFEST_FILE, "edition", "", message)


def _find_changed_bundles(manifest: Manifest, found: OutputContents) -> Iterator[Problem]:
    for id, record in manifest.records():
        wrong = list(_find_changed_files(id, record, found))
        yield from wrong or _find_contradictions(id, record, found)


def _find_changed_files(id: str, record: ManifestRecord, found: OutputContents) -> Iterator[Problem]:
    for name, (sha, size) in record.files.items():
        path = f"{record.folder}/{name}"
        content = found.files.get(path)
        if path in found.invalid_paths:
            yield Problem(path, "changed", id, found.invalid_paths[path])
        elif content is None:
            yield Problem(path, "missing", id, "it is missing")
        elif (content.sha256, content.size) != (sha, size):
            yield Problem(path, "changed", id, "it was changed")


def _find_contradictions(id: str, record: ManifestRecord, found: OutputContents) -> Iterator[Problem]:
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


def _find_unlisted_files(manifest: Manifest, found: OutputContents) -> Iterator[Problem]:
    """Files among those of bundles, which whoever reads all of a folder would read too, and what is no file."""
    folders = {record.folder: id for id, record in manifest.records()}
    listed = {path for id, _ in manifest.records() for path in manifest.paths(id)}
    for path in found.files.keys() - listed:
        yield Problem(path, "unlisted", folders.get(path.rpartition("/")[0], ""), "the manifest does not list it")
    for path in found.invalid_paths.keys() - listed:
        yield Problem(path, "unsafe", "", found.invalid_paths[path])
