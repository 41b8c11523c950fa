"""Output data: the files of a bundle, and the manifest that lists the files of an output."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from hashlib import sha256
from itertools import accumulate
from pathlib import Path
from typing import Literal, NamedTuple, Protocol, TypeVar

from envtree.model.canonical_json import encode_canonical
from envtree.model.manifest_records import NO_RECORDS, ManifestDigest, ManifestRecord, ManifestRecords, project_of

SecretsMode = Literal["plain", "ref", "seal"]


T = TypeVar("T")


# The text between the bundles of a manifest and its other keys.
_BUNDLES_END = b"\n  },\n"
# The folder of the files of the whole tree; the id of their artifact is empty.
WHOLE_TREE_FOLDER = "control-plane"


class Artifact(NamedTuple):
    """The files of one bundle; `folder` is relative to the output, `files` are pairs of name and bytes.

    An artifact with an empty id contains the files of the tree as a whole, in a folder of their own.
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
        """Return the record of the bundle for the manifest."""
        return ManifestRecord.from_files(self.folder, self.digest, self.files)


class WrittenRecords(NamedTuple):
    """The records of the files written to an output: of its bundles, and of the whole tree."""

    bundles: ManifestRecords = NO_RECORDS
    whole_tree: ManifestRecord | None = None

    @classmethod
    def from_artifacts(cls, artifacts: Iterable[Artifact]) -> "WrittenRecords":
        """Return the records of some artifacts; fastest if these are grouped by project."""
        whole_tree: list[ManifestRecord] = []

        def bundles() -> Iterator[tuple[str, ManifestRecord]]:
            for artifact in artifacts:
                if artifact.id:
                    yield artifact.id, artifact.to_record()
                else:
                    whole_tree.append(artifact.to_record())

        return cls(ManifestRecords.from_records(bundles()), next(iter(whole_tree), None))

    @classmethod
    def concatenate(cls, parts: Iterable["WrittenRecords"]) -> "WrittenRecords":
        """Join records with disjoint sets of projects."""
        parts = tuple(parts)
        texts = {project: text for part in parts for project, text in part.bundles.project_texts.items()}
        digests = {project: digest for part in parts for project, digest in part.bundles.project_digests.items()}
        return cls(ManifestRecords(texts, digests), next((part.whole_tree for part in parts if part.whole_tree), None))


class ShardedArtifacts(Protocol):
    """A producer that calls `put(n, artifacts)` for each share of the projects, possibly in other processes."""

    def __call__(self, put: Callable[[int, Iterable[Artifact]], T]) -> list[T] | None:
        """Return the results of `put`; None if a share failed, which makes all results invalid."""


class IncrementalWrite(NamedTuple):
    """An update of an output, from sharded artifacts, that reuses the files of unchanged projects.

    The unchanged projects are known relative to the output whose manifest has `previous_digest`. The writer calls
    `select_unchanged` before it requests any artifact, with whether the manifest on disk has this digest; the result
    are the projects whose files stay in place.
    """

    sharded_artifacts: ShardedArtifacts
    previous_digest: ManifestDigest | None
    select_unchanged: Callable[[bool], Collection[str]]


class Receipt(NamedTuple):
    """The origin of an output; `files` maps each file of the tree that was used to git's id of its content.

    `commit` is the checked-out commit, None outside of a repository, and `folder` the path of the tree in the
    repository. The tree is `clean` if the commit contains exactly the files that were read. `version` is the version
    of envtree.
    """

    version: str
    commit: str | None
    clean: bool | None
    folder: str
    files: dict[str, str]


class Manifest(NamedTuple):
    """All bundles of an output, by id; `inputs` are the values of the inputs that were read.

    `whole_tree` is the record of the files of the tree as a whole, if there are any.
    """

    edition: int
    mode: SecretsMode
    inputs: dict[str, str]
    bundles: ManifestRecords = NO_RECORDS
    receipt: Receipt | None = None
    whole_tree: ManifestRecord | None = None

    def records(self) -> Iterator[tuple[str, ManifestRecord]]:
        """Yield all records, by the id of their artifact."""
        yield from self.bundles.items()
        if self.whole_tree:
            yield "", self.whole_tree

    def has_more_files_than(self, files: int) -> bool:
        """Report whether the output has more than `files` files; stops counting there."""
        whole_tree_files = len(self.whole_tree.files) if self.whole_tree else 0
        return any(count > files for count in accumulate(self.bundles.file_counts(), initial=whole_tree_files))

    @staticmethod
    def strip_bundles(pieces: Sequence[bytes]) -> bytes:
        """Return the canonical JSON of a manifest, given in pieces, without its bundles."""
        return b'{\n  "bundles": {},\n' + pieces[-1].removeprefix(_BUNDLES_END) if len(pieces) > 1 else pieces[0]

    def pieces(self) -> Iterator[bytes]:
        """Yield the manifest as canonical JSON, piece by piece."""
        optional = {
            "receipt": self.receipt and self.receipt._asdict(),
            "whole": self.whole_tree and self.whole_tree.to_json(),
        }
        rest = {name: value for name, value in optional.items() if value is not None} | {
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
        """Return the digest that identifies this manifest."""
        cached = [self.bundles.project_digests.get(project) for project in self.bundles.project_texts]
        # Every second piece is the text of a project.
        pieces = ((piece, cached[n // 2] if n % 2 else None) for n, piece in enumerate(self.pieces()))
        return tuple((len(piece), digest or sha256(piece).digest()) for piece, digest in pieces)

    def removed_ids(self, new: "Manifest") -> Iterator[str]:
        """Yield the ids of the artifacts that a later manifest of the output no longer has."""
        yield from (id for id, _ in self.bundles.differing_records(new.bundles) if id not in new.bundles)
        if self.whole_tree and not new.whole_tree:
            yield ""

    def paths(self, id: str) -> list[str]:
        """Return the paths of the files of a bundle, relative to the output."""
        record = self.bundles.get(id) if id else self.whole_tree
        return [f"{record.folder}/{name}" for name in record.files] if record else []


class Output(NamedTuple):
    """The destination of a run; `tree_root` is the root of the tree, if it has one.

    `is_selected` reports which ids the run replaces and prunes. If the output is an archive only, `folder` is the
    path of the archive.
    """

    folder: Path
    tree_root: Path | None
    mode: SecretsMode
    edition: int
    inputs: dict[str, str]
    is_selected: Callable[[str], bool]
    receipt: Receipt | None = None

    def next_manifest(self, old: Manifest, written: WrittenRecords) -> Manifest:
        """Return the manifest after this run: bundles that are not selected keep their records, and their inputs."""
        differing = old.bundles.differing_records(written.bundles)
        retained = [(id, record) for id, record in differing if id not in written.bundles and not self.is_selected(id)]
        bundles = ManifestRecords.from_records((*retained, *written.bundles.items())) if retained else written.bundles
        # A run that replaces all bundles also removes the files of the whole tree, unless it writes them.
        whole_tree = written.whole_tree or (
            old.whole_tree if old.whole_tree and not all(map(self.is_selected, old.bundles)) else None
        )
        inputs = old.inputs | self.inputs if retained else self.inputs
        return Manifest(self.edition, self.mode, inputs, bundles, None if retained else self.receipt, whole_tree)
