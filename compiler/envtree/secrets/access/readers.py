"""Who can read which secret of which bundle: told by the keys that the files are really encrypted for."""

from collections.abc import Mapping
from typing import NamedTuple

from envtree.engine.run import Result, Run
from envtree.frontend.link.readers import Key, Readers, everybody, readers_of
from envtree.model.fields import field, mapping
from envtree.model.nodes import Cipher, Document
from envtree.model.secrets_file import SealedFile
from envtree.model.source import Kind
from envtree.output.bundle_cells import leaves_read
from envtree.secrets.access.people import Reader, reader


class Secret(NamedTuple):
    """A secret by its file and its path there."""

    file: str
    path: str


class FileReaders(NamedTuple):
    """Who can open a file; `strangers` can though nobody declares them, `missing` are declared and cannot.

    Where no readers are declared, `declared` is False and nobody is a stranger. A key of each of `threshold` groups is
    needed.
    """

    path: str
    readers: tuple[Reader, ...]
    threshold: int
    declared: bool
    strangers: tuple[str, ...]
    missing: tuple[str, ...]


class Person(NamedTuple):
    """What somebody can read: files, and the secrets of each bundle. `alone` lacks what needs another's key as well.

    `known` tells whether `people` has the name.
    """

    name: str
    known: bool
    files: tuple[str, ...]
    alone: frozenset[str]
    bundles: Mapping[str, tuple[Secret, ...]]


class Access(NamedTuple):
    """Everybody's access; people are sorted by name, those whom nobody knows last."""

    files: tuple[FileReaders, ...]
    people: tuple[Person, ...]


class Reads:
    """The secrets that bundles read, built bundle by bundle."""

    def __init__(self) -> None:
        self.bundles: dict[str, tuple[Secret, ...]] = {}

    def add(self, result: Result) -> None:
        """Take in one more bundle."""
        ciphers = (leaf.node.value for leaf in leaves_read(result.resolved))
        found = {Secret(one.file, one.path) for one in ciphers if isinstance(one, Cipher)}
        self.bundles[result.bundle.target.id] = tuple(sorted(found))


def access(run: Run, reads: Reads) -> Access:
    """Who can read what in a run whose bundles have been taken out."""
    workspace = run.workspace
    assert workspace
    organization = workspace.organization.document
    people = everybody(organization)
    sealed = {path: one for path, one in run.files.items() if one.sealed and one.sealed.readable}
    files = tuple(
        _file(one.sealed, readers_of(workspace, one.location.project), people)
        for _, one in sorted(sealed.items())
        if one.sealed and one.location.kind is Kind.SECRETS
    )
    return Access(files, _people(files, organization, reads))


def _file(sealed: SealedFile, declared: Readers | None, people: Mapping[str, Key]) -> FileReaders:
    found = tuple(reader(one, people) for one in sealed.recipients)
    if declared is None:
        return FileReaders(sealed.path, found, sealed.threshold, False, (), ())
    present = {one.key for one in found}
    strangers = dict.fromkeys(one.name for one in found if one.key not in declared.declared)
    missing = sorted({key.person for spelling, key in declared.declared.items() if spelling not in present})
    return FileReaders(sealed.path, found, sealed.threshold, True, tuple(strangers), tuple(missing))


def _people(files: tuple[FileReaders, ...], organization: Document, reads: Reads) -> tuple[Person, ...]:
    declared = mapping(field(organization, "people"))
    named = set(declared.entries) if declared else set()
    names = named | {one.name for file in files for one in file.readers}
    return tuple(
        _person(name, name in named, files, reads) for name in sorted(names, key=lambda n: (n not in named, n))
    )


def _person(name: str, known: bool, files: tuple[FileReaders, ...], reads: Reads) -> Person:
    groups = {file.path: {one.group for one in file.readers if one.name == name} for file in files}
    can = tuple(path for path, found in groups.items() if found)
    alone = frozenset(file.path for file in files if len(groups[file.path]) >= file.threshold)
    bundles = {id: tuple(one for one in secrets if one.file in can) for id, secrets in reads.bundles.items()}
    return Person(name, known, can, alone & frozenset(can), {id: found for id, found in bundles.items() if found})
