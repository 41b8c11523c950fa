"""What goes to disk: the files of one bundle, and the manifest that owns them."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol, TypeVar

Mode = Literal["plain", "ref", "seal"]


T = TypeVar("T")


class Together(Protocol):
    """Runs `work(n)` for the n-th share of the bundles, each in a process of its own, and gives what it gave.

    None if there are no shares, and an empty list if not all of them could be done: then all has to be done here.
    """

    def __call__(self, work: Callable[[int], T]) -> list[T] | None:
        """What the work gave, in the order of the shares."""


def undivided(work: Callable[[int], T]) -> list[T] | None:
    """No other process has a share."""
    return None


class Elsewhere(NamedTuple):
    """Bundles of which a stream may bring no artifacts: those that processes put there `together`, and those that are
    `kept`, since they lie there already.
    """

    together: Together = undivided
    kept: tuple[str, ...] = ()


NOWHERE_ELSE = Elsewhere()


def project_of(id: str) -> str:
    """The project of a bundle."""
    return id.partition("/")[0]


class Artifact(NamedTuple):
    """The files of one bundle: `folder` is relative to the output, `files` maps names to bytes."""

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
    """All bundles of an output, by id; `inputs` is what was read from the process environment."""

    edition: int
    mode: Mode
    inputs: dict[str, str]
    bundles: dict[str, Record]
    receipt: Receipt | None = None

    def data(self) -> dict[str, Any]:
        """The manifest as JSON data."""
        return ({"receipt": self.receipt._asdict()} if self.receipt else {}) | {
            "envtree": "1",
            "edition": self.edition,
            "mode": self.mode,
            "inputs": self.inputs,
            "bundles": {
                id: {
                    "path": record.folder,
                    "digest": record.digest,
                    "files": {name: {"sha256": sha, "size": size} for name, (sha, size) in record.files.items()},
                }
                for id, record in self.bundles.items()
            },
        }

    def paths(self, id: str) -> list[str]:
        """The files of a bundle, relative to the output."""
        record = self.bundles.get(id)
        return [f"{record.folder}/{name}" for name in record.files] if record else []


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
        kept = {id: record for id, record in old.bundles.items() if id not in records and not self.selects(id)}
        inputs = old.inputs | self.inputs if kept else self.inputs
        return Manifest(self.edition, self.mode, inputs, kept | records, None if kept else self.receipt)
