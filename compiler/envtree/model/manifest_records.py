"""What a manifest has of each bundle, as the text that stands in it, so that a hundred thousand take little room."""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from envtree.model.canonical_json import encode_canonical

# What stands before and behind the records in the canonical text of a map that holds nothing else, and between them.
_RECORDS_PREFIX, _RECORDS_SUFFIX, _RECORDS_SEPARATOR = b'{\n  "bundles": {\n', b"\n  }\n}\n", b",\n"
# What stands before an id.
_INDENT = b'    "'
# How a record begins, and the digest of a file: the quotes of no text in them look like this.
_RECORD_MARKER, _FILE_MARKER = b'\n    "', b'"sha256": "'


# What tells a text in pieces from every other one: the size of each, and its SHA-256.
ManifestDigest = tuple[tuple[int, bytes], ...]


class ManifestRecord(NamedTuple):
    """One bundle as the manifest has it; `files` maps a name to its SHA-256 in hex and its size in bytes."""

    folder: str
    digest: str
    files: dict[str, tuple[str, int]]

    @classmethod
    def from_files(cls, folder: str, digest: str, files: Iterable[tuple[str, bytes]]) -> "ManifestRecord":
        """The record of files by name and bytes."""
        return cls(folder, digest, {name: (hashlib.sha256(data).hexdigest(), len(data)) for name, data in files})

    def to_json(self) -> dict[str, Any]:
        """The record as JSON data."""
        files = {name: {"sha256": sha, "size": size} for name, (sha, size) in self.files.items()}
        return {"path": self.folder, "digest": self.digest, "files": files}


class ManifestRecords(Mapping[str, ManifestRecord]):
    """Records by the id of their bundle, in the order of ids; `texts` has those of each project.

    Of some of these the SHA-256 is known, as `digests` has it.
    """

    def __init__(self, texts: Mapping[str, bytes], digests: Mapping[str, bytes] | None = None) -> None:
        # The ids of `a-b` stand before those of `a`, for the name of a project ends with `/`.
        self.project_texts = {project: texts[project] for project in sorted(texts, key=lambda name: f"{name}/")}
        self.project_digests = {project: digest for project, digest in (digests or {}).items() if project in texts}
        self._last_parsed: tuple[str, dict[str, ManifestRecord]] = ("", {})

    @classmethod
    def from_records(cls, records: Iterable[tuple[str, ManifestRecord]]) -> "ManifestRecords":
        """Those that come one after the other, of two with one id the later; best project by project."""
        texts: dict[str, bytes] = {}
        for project, group in _group_by_project(records):
            before = _parse_records(texts[project]) if project in texts else {}
            texts[project] = _encode_records(before | group)
        return cls(texts)

    @classmethod
    def from_pieces(cls, pieces: Sequence[bytes], digest: ManifestDigest) -> "ManifestRecords":
        """Those of a manifest in pieces that has left a trace."""
        texts, digests = dict[str, bytes](), dict[str, bytes]()
        for text, (_, text_digest) in zip(pieces[1::2], digest[1::2], strict=True):
            project = text[len(_INDENT) : text.index(b"/")].decode()
            texts[project], digests[project] = text, text_digest
        return cls(texts, digests)

    def select_projects(self, projects: Collection[str]) -> "ManifestRecords":
        """Those of some projects, of which one may have no bundle."""
        return ManifestRecords(
            {project: text for project, text in self.project_texts.items() if project in projects}, self.project_digests
        )

    def project_records(self, name: str) -> dict[str, ManifestRecord]:
        """The records of a project."""
        if self._last_parsed[0] != name:
            self._last_parsed = name, _parse_records(self.project_texts[name]) if name in self.project_texts else {}
        return self._last_parsed[1]

    def pieces(self) -> Iterator[bytes]:
        """The text of a map with nothing but these records, without its end; every second piece is one of `texts`."""
        before = _RECORDS_PREFIX
        for text in self.project_texts.values():
            yield before
            yield text
            before = _RECORDS_SEPARATOR

    def differing_records(self, baseline: "ManifestRecords") -> Iterator[tuple[str, ManifestRecord]]:
        """Those of projects that are not the same in others."""
        for project, text in self.project_texts.items():
            if baseline.project_texts.get(project) != text:
                yield from self.project_records(project).items()

    def file_counts(self) -> Iterator[int]:
        """How many files each project has."""
        return (text.count(_FILE_MARKER) for text in self.project_texts.values())

    def __getitem__(self, id: str) -> ManifestRecord:
        return self.project_records(project_of(id))[id]

    def __iter__(self) -> Iterator[str]:
        for project in self.project_texts:
            yield from self.project_records(project)

    def __bool__(self) -> bool:
        # To count them takes longer than to see one.
        return bool(self.project_texts)

    def __len__(self) -> int:
        return sum(text.count(_RECORD_MARKER) + 1 for text in self.project_texts.values())


NO_RECORDS = ManifestRecords({})


def project_of(id: str) -> str:
    """The project of a bundle."""
    return id.partition("/")[0]


def _group_by_project(records: Iterable[tuple[str, ManifestRecord]]) -> Iterator[tuple[str, dict[str, ManifestRecord]]]:
    """The records of one project each, as they come."""
    project, group = "", dict[str, ManifestRecord]()
    for id, record in records:
        own = project_of(id)
        if own != project and group:
            yield project, group
            group = {}
        project, group[id] = own, record
    if group:
        yield project, group


def _encode_records(records: Mapping[str, ManifestRecord]) -> bytes:
    data = {"bundles": {id: record.to_json() for id, record in records.items()}}
    return encode_canonical(data)[len(_RECORDS_PREFIX) : -len(_RECORDS_SUFFIX)]


def _parse_records(text: bytes) -> dict[str, ManifestRecord]:
    return {id: _parse_record(one) for id, one in orjson.loads(b"{%b}" % text).items()}


def _parse_record(data: Any) -> ManifestRecord:
    files = {name: (str(file["sha256"]), int(file["size"])) for name, file in data["files"].items()}
    return ManifestRecord(data["path"], data["digest"], files)
