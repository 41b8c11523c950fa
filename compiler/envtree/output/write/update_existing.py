"""An existing output: what differs is staged inside it, and swapped in file by file once all is known to be right."""

import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from copy import copy
from itertools import count

from envtree.model.artifact import Artifact, Manifest, Output
from envtree.model.diagnostic import Refusal
from envtree.model.manifest_records import Trace
from envtree.output.write.journal import Journal
from envtree.output.write.staged import Staged
from envtree.system import disk
from envtree.system.disk import State
from envtree.system.signals import committing

# How many files one of several parts may stage.
_ROOM = 1 << 40


class Swap:
    """Replaces and prunes the selected bundles below `root`."""

    def __init__(self, root: str, output: Output) -> None:
        self._root = root
        self._output = output
        self._plain = output.mode == "plain"
        self._staging = f"{root}/{disk.STAGING}"
        self._old = Manifest(output.edition, output.mode, {})
        self._trace: Trace | None = None
        self._reset()

    def _reset(self) -> None:
        self._folders = disk.Folders(self._root)
        self._journal = Journal(self._output.mode, [], [])
        self._names = count()

    def begin(self, known: Trace | None) -> tuple[Manifest, bool]:
        """Gives the manifest before this run, and whether it is the one whose trace is `known`."""
        self._reset()
        found = disk.known_manifest(self._root, known) if known else None
        self._old = found or disk.load_manifest(self._root, self._output.mode, self._output.edition)
        self._trace = known if found else None
        _check_mixture(self._old, self._output)
        self._put_ignore()
        return self._old, found is not None

    def part(self, number: int) -> "Swap":
        """One of several that stage, each with bundles of its own, from what has been staged so far."""
        part = copy(self)
        part._folders = disk.Folders(self._root)
        part._folders.add(self._folders.known())
        part._journal, part._names = Journal(self._output.mode, [], []), count((number + 1) * _ROOM)
        return part

    def staged(self) -> Staged:
        """What the one that commits has to know."""
        moves, removals = self._journal.moves, self._journal.removals
        return Staged(tuple(moves), tuple(removals), tuple(self._folders.known()))

    def add(self, staged: Staged) -> None:
        """Take over what another one has staged."""
        self._journal.moves.extend(staged.moves)
        self._journal.removals.extend(staged.removals)
        self._folders.add(staged.folders)

    def put(self, artifact: Artifact) -> None:
        """Stage what differs of one bundle."""
        owned = self._old.paths(artifact.id)
        paths = [f"{artifact.folder}/{name}" for name, _ in artifact.files]
        missing = self._folders.bits(artifact.folder) is None
        for path, (_, data) in zip(paths, artifact.files, strict=True):
            self._put(path, data, State.MISSING if missing else self._state(path, data), owned)
        self._journal.removals.extend(path for path in owned if path not in paths)

    def commit(self, manifest: Manifest) -> None:
        """Swap in what was staged; a signal that arrives meanwhile waits, so that the output is old or new."""
        for id in self._old.gone(manifest):
            self._journal.removals.extend(self._old.paths(id))
        for path in self._journal.removals:
            self._folders.bits(path.rpartition("/")[0])
        differs = self._differs(manifest)
        if differs:
            self._stage(disk.MANIFEST, manifest.pieces())
        with committing():
            self._narrow_folders()
            if differs or self._journal.moves or self._journal.removals:
                self._make_staging()
                self._journal.commit(self._root)

    def discard(self) -> None:
        """Remove what was staged, unless a commit has begun: then the next run finishes it."""
        if not os.path.lexists(f"{self._root}/{disk.JOURNAL}"):
            shutil.rmtree(self._staging, ignore_errors=True)

    def _differs(self, manifest: Manifest) -> bool:
        """Whether a manifest has to be written; that of a large output is put together for that only if it must be."""
        if manifest.bundles.texts != self._old.bundles.texts:
            return True
        if self._trace and self._trace == manifest.trace():
            return self._plain and disk.permissions(f"{self._root}/{disk.MANIFEST}") != disk.FILE_BITS["plain"]
        return self._state(disk.MANIFEST, b"".join(manifest.pieces())) is not State.SAME

    def _put_ignore(self) -> None:
        if self._plain:
            owned = [disk.IGNORE] if self._old.bundles.texts and self._old.mode == "plain" else []
            self._put(disk.IGNORE, disk.IGNORE_TEXT, self._state(disk.IGNORE, disk.IGNORE_TEXT), owned)
        elif disk.state(f"{self._root}/{disk.IGNORE}", disk.IGNORE_TEXT) is State.SAME:
            self._journal.removals.append(disk.IGNORE)

    def _state(self, path: str, data: bytes) -> State:
        return disk.state(f"{self._root}/{path}", data, disk.FILE_BITS["plain"] if self._plain else None)

    def _put(self, path: str, data: bytes, found: State, owned: list[str]) -> None:
        if found is State.SAME:
            return
        full = f"{self._root}/{path}"
        # A file of the same bytes is taken over, even if only its permissions differ.
        if found is State.DIFFERENT and path not in owned and disk.state(full, data) is not State.SAME:
            raise Refusal(
                "ET806",
                f"'{full}' exists and is not a file that envtree wrote",
                "move it away, or choose another output folder",
            )
        name = str(next(self._names))
        self._stage(name, (data,))
        self._journal.moves.append((name, path))

    def _stage(self, name: str, pieces: Iterable[bytes]) -> None:
        self._make_staging()
        disk.create_of(f"{self._staging}/{name}", pieces, disk.FILE_BITS[self._output.mode])

    def _make_staging(self) -> None:
        if os.path.lexists(self._staging):
            return
        # Of several processes, another may have been faster.
        with suppress(FileExistsError):
            disk.create_folder(self._staging, disk.FOLDER_BITS["plain"])
            # The output may have no .gitignore yet, and a killed run leaves this folder behind.
            disk.create(f"{self._staging}/{disk.IGNORE}", disk.IGNORE_TEXT, disk.FILE_BITS["plain"])

    def _narrow_folders(self) -> None:
        # What exists is only ever closed, never opened: who closed it had a reason.
        bits = disk.FOLDER_BITS["plain"]
        for folder in self._folders.unlike(bits) if self._plain else ():
            os.chmod(f"{self._root}/{folder}", bits)


def _check_mixture(old: Manifest, output: Output) -> None:
    if (old.mode, old.edition) == (output.mode, output.edition):
        return
    if not all(map(output.selects, old.bundles)):
        raise Refusal(
            "ET806",
            f"the output '{output.folder}' holds bundles in mode '{old.mode}' of edition {old.edition} "
            "that this selection would leave",
            "compile all bundles, or choose another output folder",
        )
