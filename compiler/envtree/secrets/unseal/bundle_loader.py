"""Load compiled bundles from disk: a single one, or all of an output."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from envtree import EDITION
from envtree.frontend.schemas import Schemas
from envtree.model.artifact import Manifest
from envtree.model.canonical_json import encode_canonical
from envtree.model.diagnostic import MachineError, RefusedError, os_error_reason
from envtree.model.layers import Target
from envtree.model.output_settings import FORMAT_INDEPENDENT_FILES
from envtree.model.secret_entries import SEALED_SECRETS_FILE
from envtree.system import disk

BUNDLE_FILE = "bundle.json"
_COMPILE_AGAIN = "compile it again"


class CompiledBundle(NamedTuple):
    """One bundle: its folder relative to the output, its data, and the names of its files.

    `sealed` is the content of its sealed file, or None; `extra_files` are the files that do not depend on secrets.
    """

    folder: str
    data: dict[str, Any]
    names: tuple[str, ...]
    sealed: bytes | None
    extra_files: tuple[tuple[str, bytes], ...]

    @property
    def target(self) -> Target:
        """The target of the bundle."""
        return Target(self.data["project"], self.data["team"] or "", self.data["agent"], self.data["environment"])

    @property
    def sealed_path(self) -> str:
        """The path of its sealed file, relative to the output."""
        return f"{self.folder}/{SEALED_SECRETS_FILE}" if self.folder else SEALED_SECRETS_FILE


class CompiledOutput(NamedTuple):
    """A folder, the bundles in it, and its manifest; None for the folder of a single bundle."""

    root: Path
    bundles: tuple[CompiledBundle, ...]
    manifest: Manifest | None


def load_output(path: Path) -> CompiledOutput:
    """Load a bundle by its folder or file, or all bundles of an output; RefusedError if they are not as compiled."""
    folder = path.parent if path.name == BUNDLE_FILE and not path.is_dir() else path
    schemas = Schemas()
    if (folder / BUNDLE_FILE).exists() or path is not folder:
        return CompiledOutput(folder, (_load_bundle(folder, "", tuple(sorted(os.listdir(folder))), schemas),), None)
    if not (folder / disk.MANIFEST_FILE).exists():
        message = f"there is neither '{BUNDLE_FILE}' nor '{disk.MANIFEST_FILE}' in '{path}'"
        raise RefusedError("ET631", message, "name the folder of a bundle, or an output of 'envtree compile'")
    manifest = disk.load_manifest(str(folder), "plain", EDITION)
    return CompiledOutput(folder, tuple(_load_listed_bundles(folder, manifest, schemas)), manifest)


def _load_listed_bundles(root: Path, manifest: Manifest, schemas: Schemas) -> Iterator[CompiledBundle]:
    """Load the bundles of a manifest, and compare each file with the digest there."""
    for id, record in manifest.bundles.items():
        for name, (digest, _) in record.files.items():
            if hashlib.sha256(_read(root / record.folder / name)).hexdigest() != digest:
                raise RefusedError(
                    "ET631", f"'{root / record.folder / name}' is not as its manifest says", _COMPILE_AGAIN
                )
        bundle = _load_bundle(root, record.folder, tuple(record.files), schemas)
        if bundle.data["id"] != id:
            raise RefusedError("ET631", f"'{root / record.folder}' does not hold the bundle '{id}'", _COMPILE_AGAIN)
        yield bundle


def _load_bundle(root: Path, folder: str, names: tuple[str, ...], schemas: Schemas) -> CompiledBundle:
    bundle_folder = root / folder
    data = _read_bundle_data(bundle_folder / BUNDLE_FILE, schemas)
    sealed = _read(bundle_folder / SEALED_SECRETS_FILE) if SEALED_SECRETS_FILE in names else None
    extra_files = tuple(
        (name, _read_inside(bundle_folder / name))
        for name in names
        if name in FORMAT_INDEPENDENT_FILES and name != SEALED_SECRETS_FILE
    )
    return CompiledBundle(folder, data, names, sealed, extra_files)


def _read_bundle_data(path: Path, schemas: Schemas) -> dict[str, Any]:
    try:
        data = orjson.loads(_read(path))
    except ValueError:
        # The exception is dropped: it contains the text that could not be parsed.
        data = None
    if not schemas.is_valid("bundle", data):
        raise RefusedError("ET631", f"'{path}' is not a bundle", _COMPILE_AGAIN)
    bundle: dict[str, Any] = data
    content = {key: value for key, value in bundle.items() if key != "digest"}
    if bundle["digest"] != f"sha256:{hashlib.sha256(encode_canonical(content)).hexdigest()}":
        raise RefusedError("ET631", f"'{path}' was changed: its digest is that of another one", _COMPILE_AGAIN)
    return bundle


def _read_inside(path: Path) -> bytes:
    """Read a file that is copied unchanged; RefusedError for a link, in a foreign bundle, to a file outside it."""
    folder, target = (os.path.realpath(name) for name in (path.parent, path))
    if not Path(target).is_relative_to(folder):
        raise RefusedError("ET631", f"'{path}' is a link that leads out of its bundle", _COMPILE_AGAIN)
    return disk.read_file(target) or b""


def _read(path: Path) -> bytes:
    try:
        return Path(os.path.abspath(path)).read_bytes()
    except OSError as error:
        raise MachineError("ET805", f"'{path}' cannot be read: {os_error_reason(error)}") from None
