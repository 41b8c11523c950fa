"""The disk as a port: an output's files are created, read and compared without following a link."""

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

# No segment begins with a dot in a folder, so neither `..` nor a folder of our own (staging) can be named.
_FOLDER_PATTERN = re.compile(r"[^/\0.][^/\0]*(?:/[^/\0.][^/\0]*)*")
_FILE_PATTERN = re.compile(r"(?!\.{1,2}\Z)[^/\0]+")

T = TypeVar("T")


class FileState(Enum):
    """How a file on disk compares with the one that should be there."""

    SAME = "same"
    DIFFERENT = "different"
    MISSING = "missing"


class FolderPermissions:
    """The folders of an output and their permissions: each is looked at once, and none through a link."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._bits = {"": _read_folder_bits(root)}

    def bits(self, folder: str) -> int | None:
        """The permissions of a folder, None where it does not exist; a Refusal if a link or a file is on the way."""
        if folder not in self._bits:
            parent = self.bits(folder.rpartition("/")[0])
            self._bits[folder] = None if parent is None else _read_folder_bits(f"{self._root}/{folder}")
        return self._bits[folder]

    def all_bits(self) -> list[tuple[str, int | None]]:
        """All that were looked at, with their permissions."""
        return list(self._bits.items())

    def update(self, bits: Iterable[tuple[str, int | None]]) -> None:
        """Take over what another process has looked at."""
        self._bits.update(bits)

    def differing_folders(self, bits: int) -> list[str]:
        """Those that were looked at, exist, and have other permissions."""
        return [folder for folder, found in self._bits.items() if found not in (None, bits)]


@contextmanager
def translate_os_errors(output: Path) -> Iterator[None]:
    """Tell the system's errors as a Failure to write the output."""
    try:
        yield
    except OSError as error:
        raise unwritable_output_error(output, error) from error


def unwritable_output_error(output: Path, error: OSError) -> MachineError:
    """What is told of an output to which the system lets nobody write."""
    return MachineError("ET805", f"the output '{output}' cannot be written: {os_error_reason(error)}")


def check_inside(folder: str, names: list[str]) -> None:
    """Raise ValueError for a path that could leave the output."""
    if not _FOLDER_PATTERN.fullmatch(folder) or not all(map(_FILE_PATTERN.fullmatch, names)):
        raise ValueError("a path leads out of the output folder")


def has_exact_permissions(folder: str, file_bits: int, folder_bits: int) -> bool:
    """Whether all that is made below a folder has the permissions that it is asked for.

    A umask takes some away, and a list of the folder may, which all below it inherits.
    """
    probe = f"{folder}/{STAGING_FOLDER}"
    file = f"{probe}/{MANIFEST_FILE}"
    create_folder(probe, folder_bits, exact=True)
    create_file(file, b"", file_bits, exact=True)
    found = [read_permissions(path) for path in (file, probe)]
    os.unlink(file)
    os.rmdir(probe)
    return found == [file_bits, folder_bits]


def create_file(path: str, data: bytes, bits: int, *, exact: bool = False) -> None:
    """Write a new file; its permissions are `bits` whatever the umask, also where that is not known to be `exact`."""
    create_file_from_pieces(path, (data,), bits, exact=exact)


def create_file_from_pieces(path: str, pieces: Iterable[bytes], bits: int, *, exact: bool = False) -> None:
    """The same, piece by piece."""
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
    """Make a folder; its permissions are `bits` as those of a file are."""
    os.mkdir(path, bits)
    if not exact:
        os.chmod(path, bits)


def compare_file(path: str, data: bytes, bits: int | None = None) -> FileState:
    """Compare a file with what it should hold, and with its permissions where `bits` are given."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        return FileState.MISSING
    except OSError:
        if os.path.islink(path):
            return FileState.DIFFERENT
        raise
    try:
        found = os.fstat(fd)
        if stat.S_ISDIR(found.st_mode):
            raise RefusedError("ET806", f"a folder stands at '{path}', where a file must be written", "move it away")
        if not stat.S_ISREG(found.st_mode) or found.st_size != len(data):
            return FileState.DIFFERENT
        if bits is not None and stat.S_IMODE(found.st_mode) != bits:
            return FileState.DIFFERENT
        return FileState.SAME if _read_exactly(fd, found.st_size) == data else FileState.DIFFERENT
    finally:
        os.close(fd)


def read_permissions(path: str) -> int:
    """The permissions of a file, or a folder."""
    return stat.S_IMODE(os.lstat(path).st_mode)


def read_file(path: str) -> bytes | None:
    """The bytes of a regular file, None where there is none."""
    return _inspect_file(path, _read_exactly)


def load_manifest(root: str, mode: SecretsMode, edition: int) -> Manifest:
    """The manifest of an output; an empty one where there is none yet."""
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


def load_matching_manifest(root: str, digest: ManifestDigest) -> Manifest | None:
    """The manifest of an output if it is the one that left a trace; its records are not looked at."""
    pieces = _inspect_file(f"{root}/{MANIFEST_FILE}", lambda fd, size: [*_matching_pieces(fd, size, digest)])
    return manifest_from_pieces(pieces, digest) if pieces and len(pieces) == len(digest) else None


def manifest_from_pieces(pieces: Sequence[bytes], digest: ManifestDigest) -> Manifest:
    """The manifest that was written in pieces, and left a trace."""
    return parse_manifest(Manifest.strip_bundles(pieces))._replace(bundles=ManifestRecords.from_pieces(pieces, digest))


def has_digest(path: str, digest: ManifestDigest) -> bool:
    """Whether a file is the one that left a trace; it is never in memory as a whole."""
    return _inspect_file(path, lambda fd, size: sum(1 for _ in _matching_pieces(fd, size, digest))) == len(digest)


def parse_manifest(data: bytes) -> Manifest:
    """A manifest from its bytes; raises ValueError."""
    try:
        return _manifest_from_json(orjson.loads(data))
    except (ValueError, KeyError, TypeError, AttributeError):
        # The exception carries what it could not read.
        raise ValueError("not a manifest") from None


def _read_folder_bits(path: str) -> int | None:
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return None
    if not stat.S_ISDIR(found.st_mode):
        raise RefusedError("ET806", f"'{path}' is not a folder, and bundles belong below it", "move it away")
    return stat.S_IMODE(found.st_mode)


def _manifest_from_json(data: Any) -> Manifest:
    if data["envtree"] != "1" or data["mode"] not in FILE_BITS or not isinstance(data["edition"], int):
        raise ValueError("unknown form")
    inputs = {str(name): str(value) for name, value in data["inputs"].items()}
    bundles = ManifestRecords.from_records((id, _record_from_json(bundle)) for id, bundle in data["bundles"].items())
    whole = _record_from_json(data["whole"]) if "whole" in data else None
    return Manifest(data["edition"], data["mode"], inputs, bundles, _receipt_from_json(data.get("receipt")), whole)


def _receipt_from_json(data: Any) -> Receipt | None:
    if data is None:
        return None
    files = {str(path): str(id) for path, id in data["files"].items()}
    return Receipt(str(data["version"]), data["commit"], data["clean"], str(data["folder"]), files)


def _record_from_json(data: Any) -> ManifestRecord:
    # The manifest says what may be deleted, so its paths are not trusted.
    check_inside(data["path"], list(data["files"]))
    files = {name: (str(file["sha256"]), int(file["size"])) for name, file in data["files"].items()}
    return ManifestRecord(data["path"], str(data["digest"]), files)


def _inspect_file(path: str, look: Callable[[int, int], T]) -> T | None:
    """What `look(descriptor, size)` finds in a regular file, None where there is none."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    try:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            raise RefusedError("ET806", f"'{path}' is not a regular file", "move it away")
        return look(fd, found.st_size)
    finally:
        os.close(fd)


def _matching_pieces(fd: int, size: int, trace: ManifestDigest) -> Iterator[bytes]:
    """The pieces of a file as far as they are those of a trace; none if the file is longer or shorter."""
    for length, digest in trace if size == sum(length for length, _ in trace) else ():
        piece = _read_exactly(fd, length)
        if hashlib.sha256(piece).digest() != digest:
            return
        yield piece


def _read_exactly(fd: int, size: int) -> bytes:
    data = os.read(fd, size)
    while len(data) < size and (more := os.read(fd, size - len(data))):
        data += more
    return data
