"""The records of a manifest, kept as JSON text per project, so that 100,000 of them need little memory."""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from envtree.model.canonical_json import encode_canonical

# The canonical JSON of a map with nothing but records: the text before them, after them, and between projects.
_RECORDS_PREFIX, _RECORDS_SUFFIX, _RECORDS_SEPARATOR = b'{\n  "bundles": {\n', b"\n  }\n}\n", b",\n"
# The text before an id.
_INDENT = b'    "'
# The beginning of a record after the first, and of a file's digest; quotes in JSON strings are escaped, so neither
# occurs in one.
_RECORD_MARKER, _FILE_MARKER = b'\n    "', b'"sha256": "'


# The identity of a text in pieces: size and SHA-256 of each piece.
ManifestDigest = tuple[tuple[int, bytes], ...]


class ManifestRecord(NamedTuple):
    """The record of one bundle; `files` maps a name to its SHA-256 in hex and its size in bytes."""

    folder: str
    digest: str
    files: dict[str, tuple[str, int]]

    @classmethod
    def from_files(cls, folder: str, digest: str, files: Iterable[tuple[str, bytes]]) -> "ManifestRecord":
        """Return the record of a bundle from the names and bytes of its files."""
        return cls(folder, digest, {name: (hashlib.sha256(data).hexdigest(), len(data)) for name, data in files})

    def to_json(self) -> dict[str, Any]:
        """Return the record as JSON data."""
        files = {name: {"sha256": sha, "size": size} for name, (sha, size) in self.files.items()}
        return {"path": self.folder, "digest": self.digest, "files": files}


class ManifestRecords(Mapping[str, ManifestRecord]):
    """Records by bundle id, in the order of ids; `project_texts` has the JSON text of each project.

    `project_digests` has the SHA-256 of the texts for which it is known.
    """

    def __init__(self, texts: Mapping[str, bytes], digests: Mapping[str, bytes] | None = None) -> None:
        # The ids of `a-b` sort before those of `a`, because a `/` follows the project's name.
        self.project_texts = {project: texts[project] for project in sorted(texts, key=lambda name: f"{name}/")}
        self.project_digests = {project: digest for project, digest in (digests or {}).items() if project in texts}
        self._last_parsed: tuple[str, dict[str, ManifestRecord]] = ("", {})

    @classmethod
    def from_records(cls, records: Iterable[tuple[str, ManifestRecord]]) -> "ManifestRecords":
        """Collect records, of two with the same id the later; fastest if these are grouped by project."""
        texts: dict[str, bytes] = {}
        for project, group in _group_by_project(records):
            earlier = _parse_records(texts[project]) if project in texts else {}
            texts[project] = _encode_records(earlier | group)
        return cls(texts)

    @classmethod
    def from_pieces(cls, pieces: Sequence[bytes], digest: ManifestDigest) -> "ManifestRecords":
        """Return the records of a manifest, given in pieces, that has this digest."""
        texts, digests = dict[str, bytes](), dict[str, bytes]()
        for text, (_, text_digest) in zip(pieces[1::2], digest[1::2], strict=True):
            project = text[len(_INDENT) : text.index(b"/")].decode()
            texts[project], digests[project] = text, text_digest
        return cls(texts, digests)

    def select_projects(self, projects: Collection[str]) -> "ManifestRecords":
        """Return the records of some projects; a project without bundles is ignored."""
        return ManifestRecords(
            {project: text for project, text in self.project_texts.items() if project in projects}, self.project_digests
        )

    def project_records(self, name: str) -> dict[str, ManifestRecord]:
        """Return the records of a project."""
        if self._last_parsed[0] != name:
            self._last_parsed = name, _parse_records(self.project_texts[name]) if name in self.project_texts else {}
        return self._last_parsed[1]

    def pieces(self) -> Iterator[bytes]:
        """Yield the JSON of a map of these records, without its end; every second piece is the text of a project."""
        separator = _RECORDS_PREFIX
        for text in self.project_texts.values():
            yield separator
            yield text
            separator = _RECORDS_SEPARATOR

    def differing_records(self, baseline: "ManifestRecords") -> Iterator[tuple[str, ManifestRecord]]:
        """Yield the records of the projects whose texts differ in the baseline."""
        for project, text in self.project_texts.items():
            if baseline.project_texts.get(project) != text:
                yield from self.project_records(project).items()

    def file_counts(self) -> Iterator[int]:
        """Yield the number of files of each project."""
        return (text.count(_FILE_MARKER) for text in self.project_texts.values())

    def __getitem__(self, id: str) -> ManifestRecord:
        return self.project_records(project_of(id))[id]

    def __iter__(self) -> Iterator[str]:
        for project in self.project_texts:
            yield from self.project_records(project)

    def __bool__(self) -> bool:
        # Without this, `bool` would count all records.
        return bool(self.project_texts)

    def __len__(self) -> int:
        return sum(text.count(_RECORD_MARKER) + 1 for text in self.project_texts.values())


NO_RECORDS = ManifestRecords({})


def project_of(id: str) -> str:
    """Return the project of a bundle."""
    return id.partition("/")[0]


def _group_by_project(records: Iterable[tuple[str, ManifestRecord]]) -> Iterator[tuple[str, dict[str, ManifestRecord]]]:
    """Group consecutive records of the same project."""
    group_project, group = "", dict[str, ManifestRecord]()
    for id, record in records:
        project = project_of(id)
        if project != group_project and group:
            yield group_project, group
            group = {}
        group_project, group[id] = project, record
    if group:
        yield group_project, group


def _encode_records(records: Mapping[str, ManifestRecord]) -> bytes:
    data = {"bundles": {id: record.to_json() for id, record in records.items()}}
    return encode_canonical(data)[len(_RECORDS_PREFIX) : -len(_RECORDS_SUFFIX)]


def _parse_records(text: bytes) -> dict[str, ManifestRecord]:
    return {id: _parse_record(data) for id, data in orjson.loads(b"{%b}" % text).items()}


def _parse_record(data: Any) -> ManifestRecord:
    files = {name: (str(file["sha256"]), int(file["size"])) for name, file in data["files"].items()}
    return ManifestRecord(data["path"], data["digest"], files)
