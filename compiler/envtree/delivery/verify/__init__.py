"""Verify an output, a folder or an archive, against its own manifest: find bundles that have changed since."""

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
    """The manifest, its SHA-256 for comparison with one that was published elsewhere, and the problems found."""

    manifest: Manifest
    digest: str
    problems: tuple[Problem, ...]

    @property
    def changed_bundles(self) -> tuple[str, ...]:
        """The ids of the bundles with problems, sorted."""
        return tuple(sorted({problem.bundle for problem in self.problems if problem.bundle}))


def verify(path: Path) -> VerificationResult:
    """Check every file of an output; RefusedError if it has no valid manifest."""
    contents = read_contents(path)
    data = contents.manifest
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
        *_find_changed_bundles(manifest, contents),
        *_find_unlisted_files(manifest, contents),
    )
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    return VerificationResult(manifest, digest, tuple(sorted(problems)))


def _check_edition(manifest: Manifest) -> Iterator[Problem]:
    if manifest.edition != EDITION:
        message = f"it is of edition {manifest.edition}, and this envtree knows {EDITION}"
        yield Problem(disk.MANIFEST_FILE, "edition", "", message)


def _find_changed_bundles(manifest: Manifest, contents: OutputContents) -> Iterator[Problem]:
    for id, record in manifest.records():
        problems = list(_find_changed_files(id, record, contents))
        yield from problems or _find_contradictions(id, record, contents)


def _find_changed_files(id: str, record: ManifestRecord, contents: OutputContents) -> Iterator[Problem]:
    for name, (sha, size) in record.files.items():
        path = f"{record.folder}/{name}"
        content = contents.files.get(path)
        if path in contents.invalid_paths:
            yield Problem(path, "changed", id, contents.invalid_paths[path])
        elif content is None:
            yield Problem(path, "missing", id, "it is missing")
        elif (content.sha256, content.size) != (sha, size):
            yield Problem(path, "changed", id, "it was changed")


def _find_contradictions(id: str, record: ManifestRecord, contents: OutputContents) -> Iterator[Problem]:
    """Yield contradictions between a bundle and its record, although all files have the digests of the manifest."""
    for name in record.files:
        path = f"{record.folder}/{name}"
        content = contents.files[path]
        if content.digest is None:
            continue
        if content.id != id:
            yield Problem(path, "contradicting", id, f"it holds the bundle '{content.id}'")
        elif content.digest != record.digest:
            yield Problem(path, "contradicting", id, "its digest is that of another bundle")


def _find_unlisted_files(manifest: Manifest, contents: OutputContents) -> Iterator[Problem]:
    """Yield invalid paths, and unlisted files, which a reader of a whole folder would read too."""
    folders = {record.folder: id for id, record in manifest.records()}
    listed = {path for id, _ in manifest.records() for path in manifest.paths(id)}
    for path in contents.files.keys() - listed:
        yield Problem(path, "unlisted", folders.get(path.rpartition("/")[0], ""), "the manifest does not list it")
    for path in contents.invalid_paths.keys() - listed:
        yield Problem(path, "unsafe", "", contents.invalid_paths[path])
