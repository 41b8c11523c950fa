"""What goes to disk: the files of one bundle, and the manifest that owns them."""

import hashlib
from collections.abc import Callable, Container, Iterable
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol, TypeVar

Mode = Literal["plain", "ref", "seal"]


T = TypeVar("T")


def project_of(id: str) -> str:
    """The project of a bundle."""
    return id.partition("/")[0]


# Where the files of the whole tree lie; their id is empty.
WHOLE_FOLDER = "control-plane"


class Artifact(NamedTuple):
    """The files of one bundle: `folder` is relative to the output, `files` maps names to bytes.

    With an empty id, and in a folder of their own, they are those of the tree as a whole.
    """

    id: str
    folder: str
    digest: str
    files: tuple[tuple[str, bytes], ...]

    @property
    def project(self) -> str:
        """The project of the bundle."""
        return project_of(self.id)

    def record(self) -> "Record":
        """What the manifest has of this bundle."""
        return Record(
            self.folder,
            self.digest,
            {name: (hashlib.sha256(data).hexdigest(), len(data)) for name, data in self.files},
        )


class Record(NamedTuple):
    """One bundle as the manifest has it; `files` maps a name to its SHA-256 in hex and its size in bytes."""

    folder: str
    digest: str
    files: dict[str, tuple[str, int]]


class Together(Protocol):
    """Puts the artifacts of some projects at a time, each time with `put(n, artifacts)`, maybe in another process."""

    def __call__(self, put: Callable[[int, Iterable[Artifact]], T]) -> list[T] | None:
        """What `put` gave each time; None if not all could be done, so that nothing counts."""


class Elsewhere(NamedTuple):
    """Artifacts that come `together` and not in a stream, and bundles that are `kept`, since they lie there already."""

    together: Together
    kept: tuple[str, ...] = ()


class Receipt(NamedTuple):
    """What an output was made from: `files` maps each file of the tree that took part to git's id of its content.

    `commit` is where the repository stood, None outside of one, and `folder` where the tree lies in it. The tree is
    `clean` if this commit holds exactly the files that were read. `version` is that of envtree.
    """

    version: str
    commit: str | None
    clean: bool | None
    folder: str
    files: dict[str, str]


class Manifest(NamedTuple):
    """All bundles of an output, by id; `inputs` is what was read from the process environment.

    `whole` has the files of the tree as a whole, if there are any.
    """

    edition: int
    mode: Mode
    inputs: dict[str, str]
    bundles: dict[str, Record]
    receipt: Receipt | None = None
    whole: Record | None = None

    @property
    def records(self) -> dict[str, Record]:
        """All that the output has, by the ids of artifacts."""
        return {**self.bundles, **({"": self.whole} if self.whole else {})}

    def data(self) -> dict[str, Any]:
        """The manifest as JSON data."""
        optional = {"receipt": self.receipt and self.receipt._asdict(), "whole": self.whole and _record(self.whole)}
        return {name: told for name, told in optional.items() if told is not None} | {
            "envtree": "1",
            "edition": self.edition,
            "mode": self.mode,
            "inputs": self.inputs,
            "bundles": {id: _record(record) for id, record in self.bundles.items()},
        }

    def paths(self, id: str) -> list[str]:
        """The files of a bundle, relative to the output."""
        record = self.bundles.get(id) if id else self.whole
        return [f"{record.folder}/{name}" for name in record.files] if record else []


def _record(record: Record) -> dict[str, Any]:
    files = {name: {"sha256": sha, "size": size} for name, (sha, size) in record.files.items()}
    return {"path": record.folder, "digest": record.digest, "files": files}


class Output(NamedTuple):
    """Where a run writes and as what: `root` is the tree's, if there is one, `selects` says which ids the run replaces
    and prunes.

    Without a `folder` of its own to be made, only an archive is, and `folder` is its file.
    """

    folder: Path
    root: Path | None
    mode: Mode
    edition: int
    inputs: dict[str, str]
    selects: Callable[[str], bool]
    receipt: Receipt | None = None

    def successor(self, old: Manifest, records: dict[str, Record]) -> Manifest:
        """The manifest after this run: what it did not select stays as it was, with the inputs that made it."""
        gone = self.gone(old, records)
        kept = {id: record for id, record in old.records.items() if id not in records and id not in gone}
        new = kept | records
        whole = new.pop("", None)
        partial = any(kept.keys() - {""})
        inputs = old.inputs | self.inputs if partial else self.inputs
        return Manifest(self.edition, self.mode, inputs, new, None if partial else self.receipt, whole)

    def gone(self, old: Manifest, ids: Container[str]) -> list[str]:
        """What of an output this run removes, if it writes what has these ids.

        Files of the whole tree go with the run that leaves nothing else of what was there.
        """
        gone = [id for id in old.bundles if id not in ids and self.selects(id)]
        return gone + ([""] if old.whole and "" not in ids and all(map(self.selects, old.bundles)) else [])
