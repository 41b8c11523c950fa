"""What goes to disk: the files of one bundle, and the manifest that owns them."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from hashlib import sha256
from itertools import accumulate
from pathlib import Path
from typing import Literal, NamedTuple, Protocol, TypeVar

from envtree.model.canonical_json import encode_canonical
from envtree.model.manifest_records import NO_RECORDS, ManifestDigest, ManifestRecord, ManifestRecords, project_of

SecretsMode = Literal["plain", "ref", "seal"]


T = TypeVar("T")


# What stands between the bundles of a manifest and all else.
_BUNDLES_END = b"\n  },\n"
# Where the files of the whole tree lie; their id is empty.
WHOLE_TREE_FOLDER = "control-plane"


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

    def to_record(self) -> ManifestRecord:
        """What the manifest has of this bundle."""
        return ManifestRecord.from_files(self.folder, self.digest, self.files)


class WrittenRecords(NamedTuple):
    """What was put into an output: the records of its bundles, and that of files of the whole tree."""

    bundles: ManifestRecords = NO_RECORDS
    whole_tree: ManifestRecord | None = None

    @classmethod
    def from_artifacts(cls, artifacts: Iterable[Artifact]) -> "WrittenRecords":
        """What some artifacts are, best project by project."""
        whole: list[ManifestRecord] = []

        def bundles() -> Iterator[tuple[str, ManifestRecord]]:
            for artifact in artifacts:
                if artifact.id:
                    yield artifact.id, artifact.to_record()
                else:
                    whole.append(artifact.to_record())

        return cls(ManifestRecords.from_records(bundles()), next(iter(whole), None))

    @classmethod
    def concatenate(cls, parts: Iterable["WrittenRecords"]) -> "WrittenRecords":
        """Several of them, each with projects of its own."""
        parts = tuple(parts)
        texts = {project: text for part in parts for project, text in part.bundles.project_texts.items()}
        digests = {project: digest for part in parts for project, digest in part.bundles.project_digests.items()}
        return cls(ManifestRecords(texts, digests), next((part.whole_tree for part in parts if part.whole_tree), None))


class ShardedArtifacts(Protocol):
    """Puts the artifacts of some projects at a time, each time with `put(n, artifacts)`, maybe in another process."""

    def __call__(self, put: Callable[[int, Iterable[Artifact]], T]) -> list[T] | None:
        """What `put` gave each time; None if not all could be done, so that nothing counts."""


class IncrementalWrite(NamedTuple):
    """Artifacts that come `together` and not in a stream.

    Of some projects they may lie there already, which is known of an output whose `manifest` left this trace; before
    any artifact comes, `kept(whether it is that one)` tells which these are.
    """

    sharded_artifacts: ShardedArtifacts
    previous_digest: ManifestDigest | None
    select_unchanged: Callable[[bool], Collection[str]]


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
    mode: SecretsMode
    inputs: dict[str, str]
    bundles: ManifestRecords = NO_RECORDS
    receipt: Receipt | None = None
    whole_tree: ManifestRecord | None = None

    def records(self) -> Iterator[tuple[str, ManifestRecord]]:
        """All that the output has, by the ids of artifacts."""
        yield from self.bundles.items()
        if self.whole_tree:
            yield "", self.whole_tree

    def has_more_files_than(self, files: int) -> bool:
        """Whether the output has more files than so many; of a large one not all are counted."""
        whole = len(self.whole_tree.files) if self.whole_tree else 0
        return any(count > files for count in accumulate(self.bundles.file_counts(), initial=whole))

    @staticmethod
    def strip_bundles(pieces: Sequence[bytes]) -> bytes:
        """The canonical JSON in pieces without its bundles."""
        return b'{\n  "bundles": {},\n' + pieces[-1].removeprefix(_BUNDLES_END) if len(pieces) > 1 else pieces[0]

    def pieces(self) -> Iterator[bytes]:
        """The manifest as canonical JSON, piece by piece."""
        optional = {
            "receipt": self.receipt and self.receipt._asdict(),
            "whole": self.whole_tree and self.whole_tree.to_json(),
        }
        rest = {name: told for name, told in optional.items() if told is not None} | {
            "envtree": "1",
            "edition": self.edition,
            "mode": self.mode,
            "inputs": self.inputs,
        }
        if self.bundles.project_texts:
            yield from self.bundles.pieces()
            yield _BUNDLES_END + encode_canonical(rest).removeprefix(b"{\n")
        else:
            yield encode_canonical(rest | {"bundles": {}})

    def compute_digest(self) -> ManifestDigest:
        """What tells it from every other one."""
        known = [self.bundles.project_digests.get(project) for project in self.bundles.project_texts]
        marks = ((piece, known[n // 2] if n % 2 else None) for n, piece in enumerate(self.pieces()))
        return tuple((len(piece), digest or sha256(piece).digest()) for piece, digest in marks)

    def removed_ids(self, new: "Manifest") -> Iterator[str]:
        """The ids of what a later manifest of the output does not have any more."""
        yield from (id for id, _ in self.bundles.differing_records(new.bundles) if id not in new.bundles)
        if self.whole_tree and not new.whole_tree:
            yield ""

    def paths(self, id: str) -> list[str]:
        """The files of a bundle, relative to the output."""
        record = self.bundles.get(id) if id else self.whole_tree
        return [f"{record.folder}/{name}" for name in record.files] if record else []


class Output(NamedTuple):
    """Where a run writes and as what: `root` is the tree's, if there is one, `selects` says which ids the run replaces
    and prunes.

    Without a `folder` of its own to be made, only an archive is, and `folder` is its file.
    """

    folder: Path
    tree_root: Path | None
    mode: SecretsMode
    edition: int
    inputs: dict[str, str]
    is_selected: Callable[[str], bool]
    receipt: Receipt | None = None

    def next_manifest(self, old: Manifest, written: WrittenRecords) -> Manifest:
        """The manifest after this run: what it did not select stays as it was, with the inputs that made it."""
        unlike = old.bundles.differing_records(written.bundles)
        kept = [(id, record) for id, record in unlike if id not in written.bundles and not self.is_selected(id)]
        bundles = ManifestRecords.from_records((*kept, *written.bundles.items())) if kept else written.bundles
        # Files of the whole tree go with the run that leaves nothing else of what was there.
        whole = written.whole_tree or (
            old.whole_tree if old.whole_tree and not all(map(self.is_selected, old.bundles)) else None
        )
        inputs = old.inputs | self.inputs if kept else self.inputs
        return Manifest(self.edition, self.mode, inputs, bundles, None if kept else self.receipt, whole)
