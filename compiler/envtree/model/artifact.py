"""What goes to disk: the files of one bundle, and the manifest that owns them."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from hashlib import sha256
from itertools import accumulate
from pathlib import Path
from typing import Literal, NamedTuple, Protocol, TypeVar

from envtree.model.canonical_json import canonical
from envtree.model.manifest_records import NONE, Record, Records, Trace, project_of

Mode = Literal["plain", "ref", "seal"]


T = TypeVar("T")


# What stands between the bundles of a manifest and all else.
_END = b"\n  },\n"
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

    def record(self) -> Record:
        """What the manifest has of this bundle."""
        return Record.of(self.folder, self.digest, self.files)


class Put(NamedTuple):
    """What was put into an output: the records of its bundles, and that of files of the whole tree."""

    bundles: Records = NONE
    whole: Record | None = None

    @classmethod
    def of(cls, artifacts: Iterable[Artifact]) -> "Put":
        """What some artifacts are, best project by project."""
        whole: list[Record] = []

        def bundles() -> Iterator[tuple[str, Record]]:
            for artifact in artifacts:
                if artifact.id:
                    yield artifact.id, artifact.record()
                else:
                    whole.append(artifact.record())

        return cls(Records.of(bundles()), next(iter(whole), None))

    @classmethod
    def joined(cls, parts: Iterable["Put"]) -> "Put":
        """Several of them, each with projects of its own."""
        parts = tuple(parts)
        texts = {project: text for part in parts for project, text in part.bundles.texts.items()}
        digests = {project: digest for part in parts for project, digest in part.bundles.digests.items()}
        return cls(Records(texts, digests), next((part.whole for part in parts if part.whole), None))


class Together(Protocol):
    """Puts the artifacts of some projects at a time, each time with `put(n, artifacts)`, maybe in another process."""

    def __call__(self, put: Callable[[int, Iterable[Artifact]], T]) -> list[T] | None:
        """What `put` gave each time; None if not all could be done, so that nothing counts."""


class Elsewhere(NamedTuple):
    """Artifacts that come `together` and not in a stream.

    Of some projects they may lie there already, which is known of an output whose `manifest` left this trace; before
    any artifact comes, `kept(whether it is that one)` tells which these are.
    """

    together: Together
    manifest: Trace | None
    kept: Callable[[bool], Collection[str]]


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
    bundles: Records = NONE
    receipt: Receipt | None = None
    whole: Record | None = None

    def records(self) -> Iterator[tuple[str, Record]]:
        """All that the output has, by the ids of artifacts."""
        yield from self.bundles.items()
        if self.whole:
            yield "", self.whole

    def is_larger(self, files: int) -> bool:
        """Whether the output has more files than so many; of a large one not all are counted."""
        whole = len(self.whole.files) if self.whole else 0
        return any(count > files for count in accumulate(self.bundles.counts(), initial=whole))

    @staticmethod
    def rest(pieces: Sequence[bytes]) -> bytes:
        """The canonical JSON in pieces without its bundles."""
        return b'{\n  "bundles": {},\n' + pieces[-1].removeprefix(_END) if len(pieces) > 1 else pieces[0]

    def pieces(self) -> Iterator[bytes]:
        """The manifest as canonical JSON, piece by piece."""
        optional = {"receipt": self.receipt and self.receipt._asdict(), "whole": self.whole and self.whole.data()}
        rest = {name: told for name, told in optional.items() if told is not None} | {
            "envtree": "1",
            "edition": self.edition,
            "mode": self.mode,
            "inputs": self.inputs,
        }
        if self.bundles.texts:
            yield from self.bundles.pieces()
            yield _END + canonical(rest).removeprefix(b"{\n")
        else:
            yield canonical(rest | {"bundles": {}})

    def trace(self) -> Trace:
        """What tells it from every other one."""
        known = [self.bundles.digests.get(project) for project in self.bundles.texts]
        marks = ((piece, known[n // 2] if n % 2 else None) for n, piece in enumerate(self.pieces()))
        return tuple((len(piece), digest or sha256(piece).digest()) for piece, digest in marks)

    def gone(self, new: "Manifest") -> Iterator[str]:
        """The ids of what a later manifest of the output does not have any more."""
        yield from (id for id, _ in self.bundles.unlike(new.bundles) if id not in new.bundles)
        if self.whole and not new.whole:
            yield ""

    def paths(self, id: str) -> list[str]:
        """The files of a bundle, relative to the output."""
        record = self.bundles.get(id) if id else self.whole
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

    def successor(self, old: Manifest, put: Put) -> Manifest:
        """The manifest after this run: what it did not select stays as it was, with the inputs that made it."""
        unlike = old.bundles.unlike(put.bundles)
        kept = [(id, record) for id, record in unlike if id not in put.bundles and not self.selects(id)]
        bundles = Records.of((*kept, *put.bundles.items())) if kept else put.bundles
        # Files of the whole tree go with the run that leaves nothing else of what was there.
        whole = put.whole or (old.whole if old.whole and not all(map(self.selects, old.bundles)) else None)
        inputs = old.inputs | self.inputs if kept else self.inputs
        return Manifest(self.edition, self.mode, inputs, bundles, None if kept else self.receipt, whole)
