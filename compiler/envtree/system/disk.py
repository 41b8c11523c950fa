"""Disk access for outputs: files are created, read and compared without following links, manifests are parsed."""

import hashlib
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

import orjson

from envtree.model.artifact import Manifest, Receipt, SecretsMode
from envtree.model.diagnostic import MachineError, RefusedError, os_error_reason
from envtree.model.manifest_records import ManifestDigest, ManifestRecord, ManifestRecords

MANIFEST_FILE = "manifest.json"
IGNORE_FILE = ".gitignore"
LOCK_FILE = ".envtree.lock"
STAGING_FOLDER = ".envtree-staging"
JOURNAL_FILE = f"{STAGING_FOLDER}/journal.json"
IGNORE_TEXT = b"# envtree: these files hold secrets, git must not track them\n*\n"

FILE_BITS: dict[SecretsMode, int] = {"plain": 0o600, "ref": 0o644, "seal": 0o644}
FOLDER_BITS: dict[SecretsMode, int] = {"plain": 0o700, "ref": 0o755, "seal": 0o755}

# No segment of a folder begins with a dot, which excludes `..` and envtree's own staging folder.
_FOLDER_PATTERN = re.compile(r"[^/\0.][^/\0]*(?:/[^/\0.][^/\0]*)*")
_FILE_PATTERN = re.compile(r"(?!\.{1,2}\Z)[^/\0]+")

T = TypeVar("T")


class FileState(Enum):
    """The result of comparing a file on disk with its expected content."""

    SAME = "same"
    DIFFERENT = "different"
    MISSING = "missing"


class FolderPermissions:
    """The permissions of the folders of an output, each read once and not through links."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._bits = {"": _read_folder_bits(root)}

    def bits(self, folder: str) -> int | None:
        """Return the permissions of a folder, None if it does not exist.

        Raise RefusedError if the folder or one above it is a link or a file.
        """
        if folder not in self._bits:
            parent = self.bits(folder.rpartition("/")[0])
            self._bits[folder] = None if parent is None else _read_folder_bits(f"{self._root}/{folder}")
        return self._bits[folder]

    def all_bits(self) -> list[tuple[str, int | None]]:
        """Return all folders read so far, with their permissions."""
        return list(self._bits.items())

    def update(self, bits: Iterable[tuple[str, int | None]]) -> None:
        """Add folders that another process has read."""
        self._bits.update(bits)

    def differing_folders(self, bits: int) -> list[str]:
        """Return the folders read so far that exist and have other permissions than `bits`."""
        return [folder for folder, actual in self._bits.items() if actual not in (None, bits)]


@contextmanager
def translate_os_errors(output: Path) -> Iterator[None]:
    """Raise OSErrors of the block as a MachineError about the output."""
    try:
        yield
    except OSError as error:
        raise unwritable_output_error(output, error) from error


def unwritable_output_error(output: Path, error: OSError) -> MachineError:
    """Return the error for an output that cannot be written."""
    return MachineError("ET805", f"the output '{output}' cannot be written: {os_error_reason(error)}")


def check_inside(folder: str, names: list[str]) -> None:
    """Raise ValueError if a path could lead out of the output."""
    if not _FOLDER_PATTERN.fullmatch(folder) or not all(map(_FILE_PATTERN.fullmatch, names)):
        raise ValueError("a path leads out of the output folder")


def has_exact_permissions(folder: str, file_bits: int, folder_bits: int) -> bool:
    """Report whether files and folders created below a folder get exactly the requested permissions.

    The umask removes permissions, and so may an access control list that they inherit from the folder.
    """
    probe = f"{folder}/{STAGING_FOLDER}"
    file = f"{probe}/{MANIFEST_FILE}"
    create_folder(probe, folder_bits, exact=True)
    create_file(file, b"", file_bits, exact=True)
    actual = [read_permissions(path) for path in (file, probe)]
    os.unlink(file)
    os.rmdir(probe)
    return actual == [file_bits, folder_bits]


def create_file(path: str, data: bytes, bits: int, *, exact: bool = False) -> None:
    """Write a new file with permissions `bits`.

    With `exact`, new files are known to get the requested permissions (`has_exact_permissions`), which saves a call.
    """
    create_file_from_pieces(path, (data,), bits, exact=exact)


def create_file_from_pieces(path: str, pieces: Iterable[bytes], bits: int, *, exact: bool = False) -> None:
    """Write a new file from pieces; see `create_file`."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, bits)
    try:
        if not exact:
            os.fchmod(fd, bits)
        for data in pieces:
            written = os.write(fd, data)
            while written < len(data):
                written += os.write(fd, data[written:])
    finally:
        os.close(fd)


def create_folder(path: str, bits: int, *, exact: bool = False) -> None:
    """Create a folder with permissions `bits`; for `exact`, see `create_file`."""
    os.mkdir(path, bits)
    if not exact:
        os.chmod(path, bits)


def compare_file(path: str, data: bytes, bits: int | None = None) -> FileState:
    """Compare a file with its expected content, and with its expected permissions if `bits` are given."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        return FileState.MISSING
    except OSError:
        if os.path.islink(path):
            return FileState.DIFFERENT
        raise
    try:
        status = os.fstat(fd)
        if stat.S_ISDIR(status.st_mode):
            raise RefusedError("ET806", f"a folder stands at '{path}', where a file must be written", "move it away")
        if not stat.S_ISREG(status.st_mode) or status.st_size != len(data):
            return FileState.DIFFERENT
        if bits is not None and stat.S_IMODE(status.st_mode) != bits:
            return FileState.DIFFERENT
        return FileState.SAME if _read_exactly(fd, status.st_size) == data else FileState.DIFFERENT
    finally:
        os.close(fd)


def read_permissions(path: str) -> int:
    """Return the permissions of a file or folder."""
    return stat.S_IMODE(os.lstat(path).st_mode)


def read_file(path: str) -> bytes | None:
    """Return the bytes of a regular file, None if it does not exist."""
    return _inspect_file(path, _read_exactly)


def load_manifest(root: str, mode: SecretsMode, edition: int) -> Manifest:
    """Load the manifest of an output; an empty one if there is none yet."""
    data = read_file(f"{root}/{MANIFEST_FILE}")
    if data is None:
        return Manifest(edition, mode, {})
    try:
        return parse_manifest(data)
    except ValueError:
        raise RefusedError(
            "ET806",
            f"'{root}/{MANIFEST_FILE}' is not a manifest that envtree wrote",
            "delete the output folder, or choose another one",
        ) from None


def compute_manifest_digest(root: str, sizes: Sequence[int]) -> ManifestDigest | None:
    """Return the digest of the manifest of an output, whose pieces have these sizes; None without one."""

    def digest_pieces(fd: int, _: int) -> ManifestDigest:
        return tuple((size, hashlib.sha256(_read_exactly(fd, size)).digest()) for size in sizes)

    return _inspect_file(f"{root}/{MANIFEST_FILE}", digest_pieces)


def load_matching_manifest(root: str, digest: ManifestDigest) -> Manifest | None:
    """Load the manifest of an output if it has this digest, without parsing its records; else None."""
    pieces = _inspect_file(f"{root}/{MANIFEST_FILE}", lambda fd, size: [*_matching_pieces(fd, size, digest)])
    return manifest_from_pieces(pieces, digest) if pieces and len(pieces) == len(digest) else None


def manifest_from_pieces(pieces: Sequence[bytes], digest: ManifestDigest) -> Manifest:
    """Return the manifest with these pieces and this digest."""
    return parse_manifest(Manifest.strip_bundles(pieces))._replace(bundles=ManifestRecords.from_pieces(pieces, digest))


def has_digest(path: str, digest: ManifestDigest) -> bool:
    """Report whether a file has this digest; it is read piece by piece."""
    return _inspect_file(path, lambda fd, size: sum(1 for _ in _matching_pieces(fd, size, digest))) == len(digest)


def parse_manifest(data: bytes) -> Manifest:
    """Parse a manifest; raise ValueError if it is malformed."""
    try:
        return _manifest_from_json(orjson.loads(data))
    except (ValueError, KeyError, TypeError, AttributeError):
        # The original exception contains the data that could not be parsed.
        raise ValueError("not a manifest") from None


def _read_folder_bits(path: str) -> int | None:
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return None
    if not stat.S_ISDIR(status.st_mode):
        raise RefusedError("ET806", f"'{path}' is not a folder, and bundles belong below it", "move it away")
    return stat.S_IMODE(status.st_mode)


def _manifest_from_json(data: Any) -> Manifest:
    if data["envtree"] != "1" or data["mode"] not in FILE_BITS or not isinstance(data["edition"], int):
        raise ValueError("unknown form")
    inputs = {str(name): str(value) for name, value in data["inputs"].items()}
    bundles = ManifestRecords.from_records((id, _record_from_json(bundle)) for id, bundle in data["bundles"].items())
    return Manifest(
        edition=data["edition"],
        mode=data["mode"],
        inputs=inputs,
        bundles=bundles,
        receipt=_receipt_from_json(data.get("receipt")),
        whole_tree=_record_from_json(data["whole"]) if "whole" in data else None,
    )


def _receipt_from_json(data: Any) -> Receipt | None:
    if data is None:
        return None
    files = {str(path): str(id) for path, id in data["files"].items()}
    return Receipt(
        version=str(data["version"]),
        commit=data["commit"],
        clean=data["clean"],
        folder=str(data["folder"]),
        files=files,
    )


def _record_from_json(data: Any) -> ManifestRecord:
    # The manifest determines which files may be deleted, so its paths are not trusted.
    check_inside(data["path"], list(data["files"]))
    files = {name: (str(file["sha256"]), int(file["size"])) for name, file in data["files"].items()}
    return ManifestRecord(data["path"], str(data["digest"]), files)


def _inspect_file(path: str, inspect: Callable[[int, int], T]) -> T | None:
    """Return the result of `inspect(descriptor, size)` for a regular file, None if it does not exist."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise RefusedError("ET806", f"'{path}' is not a regular file", "move it away")
        return inspect(fd, status.st_size)
    finally:
        os.close(fd)


def _matching_pieces(fd: int, size: int, digest: ManifestDigest) -> Iterator[bytes]:
    """Yield the pieces of a file until one does not match the digest; none if the file has another size."""
    if size != sum(length for length, _ in digest):
        return
    for length, piece_digest in digest:
        piece = _read_exactly(fd, length)
        if hashlib.sha256(piece).digest() != piece_digest:
            return
        yield piece


def _read_exactly(fd: int, size: int) -> bytes:
    data = os.read(fd, size)
    while len(data) < size and (more := os.read(fd, size - len(data))):
        data += more
    return data
