"""Bundles as they lie on disk: one by itself, or all of an output."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from envtree import EDITION
from envtree.frontend.schemas import Schemas
from envtree.model.artifact import Manifest
from envtree.model.canonical_json import canonical
from envtree.model.diagnostic import Failure, Refusal, reason
from envtree.model.layers import Target
from envtree.model.output_settings import OTHERS
from envtree.model.secret_placeholders import SEALED_FILE
from envtree.system import disk

BUNDLE_FILE = "bundle.json"
_HINT = "compile it again"


class Stored(NamedTuple):
    """One bundle: its data, its folder relative to where the output is, and the names of all files in it.

    `sealed` are the bytes of its sealed secrets, None where there are none; `others` do not depend on its secrets.
    """

    folder: str
    data: dict[str, Any]
    names: tuple[str, ...]
    sealed: bytes | None
    others: tuple[tuple[str, bytes], ...]

    @property
    def target(self) -> Target:
        """Whose bundle it is."""
        return Target(self.data["project"], self.data["team"] or "", self.data["agent"], self.data["environment"])

    @property
    def path(self) -> str:
        """The path of its sealed secrets, relative to where the output is."""
        return f"{self.folder}/{SEALED_FILE}" if self.folder else SEALED_FILE


class Output(NamedTuple):
    """What was named: a folder, the bundles in it, and what its manifest says; without one, it is one bundle alone."""

    root: Path
    bundles: tuple[Stored, ...]
    manifest: Manifest | None


def load(path: Path) -> Output:
    """Read a bundle by its folder or its file, or all bundles of an output; a Refusal if they are not as compiled."""
    folder = path.parent if path.name == BUNDLE_FILE and not path.is_dir() else path
    schemas = Schemas()
    if (folder / BUNDLE_FILE).exists() or path is not folder:
        return Output(folder, (_stored(folder, "", tuple(sorted(os.listdir(folder))), schemas),), None)
    if not (folder / disk.MANIFEST).exists():
        message = f"there is neither '{BUNDLE_FILE}' nor '{disk.MANIFEST}' in '{path}'"
        raise Refusal("ET631", message, "name the folder of a bundle, or an output of 'envtree compile'")
    manifest = disk.load_manifest(str(folder), "plain", EDITION)
    return Output(folder, tuple(_listed(folder, manifest, schemas)), manifest)


def _listed(root: Path, manifest: Manifest, schemas: Schemas) -> Iterator[Stored]:
    """The bundles of a manifest, which says of each file what it was."""
    for id, record in manifest.bundles.items():
        for name, (digest, _) in record.files.items():
            if hashlib.sha256(_read(root / record.folder / name)).hexdigest() != digest:
                raise Refusal("ET631", f"'{root / record.folder / name}' is not as its manifest says", _HINT)
        one = _stored(root, record.folder, tuple(record.files), schemas)
        if one.data["id"] != id:
            raise Refusal("ET631", f"'{root / record.folder}' does not hold the bundle '{id}'", _HINT)
        yield one


def _stored(root: Path, folder: str, names: tuple[str, ...], schemas: Schemas) -> Stored:
    home = root / folder
    data = _data(home / BUNDLE_FILE, schemas)
    sealed = _read(home / SEALED_FILE) if SEALED_FILE in names else None
    others = tuple((name, _read_own(home / name)) for name in names if name in OTHERS and name != SEALED_FILE)
    return Stored(folder, data, names, sealed, others)


def _data(path: Path, schemas: Schemas) -> dict[str, Any]:
    try:
        data = orjson.loads(_read(path))
    except ValueError:
        # The exception carries what it could not read.
        data = None
    if not schemas.is_valid("bundle", data):
        raise Refusal("ET631", f"'{path}' is not a bundle", _HINT)
    found: dict[str, Any] = data
    bare = {key: value for key, value in found.items() if key != "digest"}
    if found["digest"] != f"sha256:{hashlib.sha256(canonical(bare)).hexdigest()}":
        raise Refusal("ET631", f"'{path}' was changed: its digest is that of another one", _HINT)
    return found


def _read_own(path: Path) -> bytes:
    """What is passed on as it is: no file of somebody else's, to which a stranger's bundle may hold a link."""
    folder, target = (os.path.realpath(each) for each in (path.parent, path))
    if not Path(target).is_relative_to(folder):
        raise Refusal("ET631", f"'{path}' is a link that leads out of its bundle", _HINT)
    return disk.read(target) or b""


def _read(path: Path) -> bytes:
    try:
        return Path(os.path.abspath(path)).read_bytes()
    except OSError as error:
        raise Failure("ET805", f"'{path}' cannot be read: {reason(error)}") from None
