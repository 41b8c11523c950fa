"""What a manifest has of each bundle, as the text that stands in it, so that a hundred thousand take little room."""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from envtree.model.canonical_json import canonical

# What stands before and behind the records in the canonical text of a map that holds nothing else, and between them.
_BEFORE, _BEHIND, _BETWEEN = b'{\n  "bundles": {\n', b"\n  }\n}\n", b",\n"
# What stands before an id.
_INDENT = b'    "'
# How a record begins, and the digest of a file: the quotes of no text in them look like this.
_RECORD, _FILE = b'\n    "', b'"sha256": "'


# What tells a text in pieces from every other one: the size of each, and its SHA-256.
Trace = tuple[tuple[int, bytes], ...]


class Record(NamedTuple):
    """One bundle as the manifest has it; `files` maps a name to its SHA-256 in hex and its size in bytes."""

    folder: str
    digest: str
    files: dict[str, tuple[str, int]]

    @classmethod
    def of(cls, folder: str, digest: str, files: Iterable[tuple[str, bytes]]) -> "Record":
        """The record of files by name and bytes."""
        return cls(folder, digest, {name: (hashlib.sha256(data).hexdigest(), len(data)) for name, data in files})

    def data(self) -> dict[str, Any]:
        """The record as JSON data."""
        files = {name: {"sha256": sha, "size": size} for name, (sha, size) in self.files.items()}
        return {"path": self.folder, "digest": self.digest, "files": files}


class Records(Mapping[str, Record]):
    """Records by the id of their bundle, in the order of ids; `texts` has those of each project.

    Of some of these the SHA-256 is known, as `digests` has it.
    """

    def __init__(self, texts: Mapping[str, bytes], digests: Mapping[str, bytes] | None = None) -> None:
        # The ids of `a-b` stand before those of `a`, for the name of a project ends with `/`.
        self.texts = {project: texts[project] for project in sorted(texts, key=lambda name: f"{name}/")}
        self.digests = {project: digest for project, digest in (digests or {}).items() if project in texts}
        self._last: tuple[str, dict[str, Record]] = ("", {})

    @classmethod
    def of(cls, records: Iterable[tuple[str, Record]]) -> "Records":
        """Those that come one after the other, of two with one id the later; best project by project."""
        texts: dict[str, bytes] = {}
        for project, group in _runs(records):
            before = _parsed(texts[project]) if project in texts else {}
            texts[project] = _text(before | group)
        return cls(texts)

    @classmethod
    def joined(cls, pieces: Sequence[bytes], trace: Trace) -> "Records":
        """Those of a manifest in pieces that has left a trace."""
        texts, digests = dict[str, bytes](), dict[str, bytes]()
        for text, (_, digest) in zip(pieces[1::2], trace[1::2], strict=True):
            project = text[len(_INDENT) : text.index(b"/")].decode()
            texts[project], digests[project] = text, digest
        return cls(texts, digests)

    def only(self, projects: Collection[str]) -> "Records":
        """Those of some projects, of which one may have no bundle."""
        return Records({project: text for project, text in self.texts.items() if project in projects}, self.digests)

    def project(self, name: str) -> dict[str, Record]:
        """The records of a project."""
        if self._last[0] != name:
            self._last = name, _parsed(self.texts[name]) if name in self.texts else {}
        return self._last[1]

    def pieces(self) -> Iterator[bytes]:
        """The text of a map with nothing but these records, without its end; every second piece is one of `texts`."""
        before = _BEFORE
        for text in self.texts.values():
            yield before
            yield text
            before = _BETWEEN

    def unlike(self, other: "Records") -> Iterator[tuple[str, Record]]:
        """Those of projects that are not the same in others."""
        for project, text in self.texts.items():
            if other.texts.get(project) != text:
                yield from self.project(project).items()

    def counts(self) -> Iterator[int]:
        """How many files each project has."""
        return (text.count(_FILE) for text in self.texts.values())

    def __getitem__(self, id: str) -> Record:
        return self.project(project_of(id))[id]

    def __iter__(self) -> Iterator[str]:
        for project in self.texts:
            yield from self.project(project)

    def __bool__(self) -> bool:
        # To count them takes longer than to see one.
        return bool(self.texts)

    def __len__(self) -> int:
        return sum(text.count(_RECORD) + 1 for text in self.texts.values())


NONE = Records({})


def project_of(id: str) -> str:
    """The project of a bundle."""
    return id.partition("/")[0]


def _runs(records: Iterable[tuple[str, Record]]) -> Iterator[tuple[str, dict[str, Record]]]:
    """The records of one project each, as they come."""
    project, group = "", dict[str, Record]()
    for id, record in records:
        own = project_of(id)
        if own != project and group:
            yield project, group
            group = {}
        project, group[id] = own, record
    if group:
        yield project, group


def _text(records: Mapping[str, Record]) -> bytes:
    data = {"bundles": {id: record.data() for id, record in records.items()}}
    return canonical(data)[len(_BEFORE) : -len(_BEHIND)]


def _parsed(text: bytes) -> dict[str, Record]:
    return {id: _record(one) for id, one in orjson.loads(b"{%b}" % text).items()}


def _record(data: Any) -> Record:
    files = {name: (str(file["sha256"]), int(file["size"])) for name, file in data["files"].items()}
    return Record(data["path"], data["digest"], files)
