"""What lies in an output, a folder or an archive: each file by its hash."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from envtree.model.canonical_json import canonical
from envtree.model.diagnostic import Failure, Refusal, reason
from envtree.model.secret_placeholders import SECRETS_FILE
from envtree.system import disk
from envtree.system.archive import is_archive

_BUNDLE = "bundle.json"
_LINK = "it is no regular file"

# A path, what is there if that is a file, and else what is wrong.
_Entry = tuple[str, bytes | None, str]


class Content(NamedTuple):
    """A file: its SHA-256 and size, and of one that holds a bundle its id and the digest that it should have."""

    sha: str
    size: int
    id: str = ""
    digest: str | None = None


class Contents(NamedTuple):
    """The manifest's bytes, the files of bundles and those beside them by path, and what is wrong with others."""

    manifest: bytes | None
    files: dict[str, Content]
    faults: dict[str, str]


def contents(path: Path) -> Contents:
    """Read all of an output, through no link."""
    if path.is_dir():
        return _gathered(_in_folder(path))
    if not is_archive(path):
        raise Refusal("ET631", f"'{path}' is no archive", "name a folder, a .tar.zst or a .zip")
    from envtree.system.archive.members import members  # noqa: PLC0415 -- a folder needs none of it

    return _gathered(members(path))


def _gathered(found: Iterable[_Entry]) -> Contents:
    manifest: bytes | None = None
    files: dict[str, Content] = {}
    faults: dict[str, str] = {}
    seen: set[str] = set()
    for path, data, fault in found:
        folder, _, name = path.rpartition("/")
        if path in seen:
            faults[path] = "it is there twice"
        elif not _is_inside(path):
            faults[path] = "its path leads out of the output"
        elif data is None:
            faults[path] = fault
        elif path == disk.MANIFEST:
            manifest = data
        elif folder or (path, data) != (disk.IGNORE, disk.IGNORE_TEXT):
            files[path] = _content(name, data)
        seen.add(path)
    return Contents(manifest, files, faults)


def _is_inside(path: str) -> bool:
    folder, _, name = path.rpartition("/")
    try:
        disk.check_inside(folder or "root", [name])
    except ValueError:
        return False
    return not path.startswith("/")


def _content(name: str, data: bytes) -> Content:
    sha = hashlib.sha256(data).hexdigest()
    told = _object(data) if name in (_BUNDLE, SECRETS_FILE) else {}
    id = told.get("id")
    if not isinstance(id, str):
        return Content(sha, len(data))
    if name == SECRETS_FILE:
        return Content(sha, len(data), id, f"sha256:{sha}")
    return Content(sha, len(data), id, told["digest"] if told.get("digest") == _digest(told) else "")


def _digest(bundle: dict[str, Any]) -> str:
    bare = {key: value for key, value in bundle.items() if key != "digest"}
    try:
        return f"sha256:{hashlib.sha256(canonical(bare)).hexdigest()}"
    except TypeError:
        # It is nested deeper than any bundle.
        return ""


def _object(data: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(data)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _in_folder(root: Path) -> Iterator[_Entry]:
    """The manifest, and all files beside the ones that it lists; what lies elsewhere was there before us."""
    try:
        data = disk.read(f"{root}/{disk.MANIFEST}")
        if data is None:
            return
        yield disk.MANIFEST, data, ""
        for folder in _folders(data):
            yield from _directly_in(str(root), folder)
    except OSError as error:
        raise Failure("ET805", f"'{root}' cannot be read: {reason(error)}") from None


def _folders(data: bytes) -> list[str]:
    try:
        return sorted({record.folder for _, record in disk.parse_manifest(data).records()})
    except ValueError:
        return []


def _directly_in(root: str, folder: str) -> Iterator[_Entry]:
    parts = folder.split("/")
    if any(os.path.islink(f"{root}/{'/'.join(parts[: n + 1])}") for n in range(len(parts))):
        yield folder, None, _LINK
        return
    if not os.path.isdir(f"{root}/{folder}"):
        return
    with os.scandir(f"{root}/{folder}") as entries:
        found = sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries)
    for name, is_folder in found:
        if not is_folder:
            path = f"{root}/{folder}/{name}"
            is_file = os.path.isfile(path) and not os.path.islink(path)
            yield f"{folder}/{name}", disk.read(path) if is_file else None, "" if is_file else _LINK
