"""Read the files of an output, a folder or an archive, with their hashes."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from envtree.model.canonical_json import encode_canonical
from envtree.model.diagnostic import MachineError, RefusedError, os_error_reason
from envtree.model.secret_entries import SECRETS_BUNDLE_FILE
from envtree.system import disk
from envtree.system.archive import is_archive

_BUNDLE_FILE = "bundle.json"
_NOT_REGULAR_FILE = "it is no regular file"

# A path, the bytes of a regular file or None, and what is wrong with any other.
_Entry = tuple[str, bytes | None, str]


class FileContent(NamedTuple):
    """The SHA-256 and size of a file.

    A bundle file also has the id in it and a digest, which is empty if the one in the file is wrong.
    """

    sha256: str
    size: int
    id: str = ""
    digest: str | None = None


class OutputContents(NamedTuple):
    """The bytes of the manifest, the files by path, and what is wrong with invalid paths."""

    manifest: bytes | None
    files: dict[str, FileContent]
    invalid_paths: dict[str, str]


def read_contents(path: Path) -> OutputContents:
    """Read all files of an output, without following links."""
    if path.is_dir():
        return _collect_contents(_folder_entries(path))
    if not is_archive(path):
        raise RefusedError("ET631", f"'{path}' is no archive", "name a folder, a .tar.zst or a .zip")
    from envtree.system.archive.archive_reader import read_members  # noqa: PLC0415 -- a folder needs none of it

    return _collect_contents(read_members(path))


def _collect_contents(entries: Iterable[_Entry]) -> OutputContents:
    manifest: bytes | None = None
    files: dict[str, FileContent] = {}
    invalid_paths: dict[str, str] = {}
    seen_paths: set[str] = set()
    for path, data, problem in entries:
        folder, _, name = path.rpartition("/")
        if path in seen_paths:
            invalid_paths[path] = "it is there twice"
        elif not _is_inside(path):
            invalid_paths[path] = "its path leads out of the output"
        elif data is None:
            invalid_paths[path] = problem
        elif path == disk.MANIFEST_FILE:
            manifest = data
        elif folder or (path, data) != (disk.IGNORE_FILE, disk.IGNORE_TEXT):
            files[path] = _describe_file(name, data)
        seen_paths.add(path)
    return OutputContents(manifest, files, invalid_paths)


def _is_inside(path: str) -> bool:
    folder, _, name = path.rpartition("/")
    try:
        disk.check_inside(folder or "root", [name])
    except ValueError:
        return False
    return not path.startswith("/")


def _describe_file(name: str, data: bytes) -> FileContent:
    sha = hashlib.sha256(data).hexdigest()
    bundle = _parse_object(data) if name in (_BUNDLE_FILE, SECRETS_BUNDLE_FILE) else {}
    id = bundle.get("id")
    if not isinstance(id, str):
        return FileContent(sha, len(data))
    if name == SECRETS_BUNDLE_FILE:
        return FileContent(sha, len(data), id, f"sha256:{sha}")
    return FileContent(sha, len(data), id, bundle["digest"] if bundle.get("digest") == _digest(bundle) else "")


def _digest(bundle: dict[str, Any]) -> str:
    content = {key: value for key, value in bundle.items() if key != "digest"}
    try:
        return f"sha256:{hashlib.sha256(encode_canonical(content)).hexdigest()}"
    except TypeError:
        # The data is nested deeper than any bundle.
        return ""


def _parse_object(data: bytes) -> dict[str, Any]:
    try:
        parsed = orjson.loads(data)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _folder_entries(root: Path) -> Iterator[_Entry]:
    """Yield the manifest and all files in the folders that it lists; files elsewhere are not of envtree."""
    try:
        data = disk.read_file(f"{root}/{disk.MANIFEST_FILE}")
        if data is None:
            return
        yield disk.MANIFEST_FILE, data, ""
        for folder in _bundle_folders(data):
            yield from _list_folder(str(root), folder)
    except OSError as error:
        raise MachineError("ET805", f"'{root}' cannot be read: {os_error_reason(error)}") from None


def _bundle_folders(data: bytes) -> list[str]:
    try:
        return sorted({record.folder for _, record in disk.parse_manifest(data).records()})
    except ValueError:
        return []


def _list_folder(root: str, folder: str) -> Iterator[_Entry]:
    parts = folder.split("/")
    if any(os.path.islink(f"{root}/{'/'.join(parts[: length + 1])}") for length in range(len(parts))):
        yield folder, None, _NOT_REGULAR_FILE
        return
    if not os.path.isdir(f"{root}/{folder}"):
        return
    with os.scandir(f"{root}/{folder}") as entries:
        names = sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries)
    for name, is_folder in names:
        if not is_folder:
            path = f"{root}/{folder}/{name}"
            is_file = os.path.isfile(path) and not os.path.islink(path)
            yield f"{folder}/{name}", disk.read_file(path) if is_file else None, "" if is_file else _NOT_REGULAR_FILE
