"""Who can read which secret of which bundle: told by the keys that the files are really encrypted for."""

from collections.abc import Mapping
from typing import NamedTuple

from envtree.engine.request import BundleResult
from envtree.engine.run import Run
from envtree.frontend.link.declared_readers import DeclaredReaders, PublicKey, index_public_keys, project_readers
from envtree.model.fields import as_mapping, get_field
from envtree.model.nodes import Document, EncryptedValue
from envtree.model.secrets_file import SecretsFile
from envtree.model.source import Kind
from envtree.output.bundle_cells import bundle_sealed_leaves
from envtree.secrets.access.key_holders import KeyHolder, find_key_holder


class SecretRef(NamedTuple):
    """A secret by its file and its path there."""

    file: str
    path: str


class FileReaders(NamedTuple):
    """Who can open a file; `strangers` can though nobody declares them, `missing` are declared and cannot.

    Where no readers are declared, `declared` is False and nobody is a stranger. A key of each of `threshold` groups is
    needed.
    """

    path: str
    readers: tuple[KeyHolder, ...]
    threshold: int
    has_declared_readers: bool
    undeclared: tuple[str, ...]
    missing: tuple[str, ...]


class PersonAccess(NamedTuple):
    """What somebody can read: files, and the secrets of each bundle. `alone` lacks what needs another's key as well.

    `known` tells whether `people` has the name.
    """

    name: str
    is_declared: bool
    files: tuple[str, ...]
    openable_alone: frozenset[str]
    bundles: Mapping[str, tuple[SecretRef, ...]]


class AccessReport(NamedTuple):
    """Everybody's access; people are sorted by name, those whom nobody knows last."""

    files: tuple[FileReaders, ...]
    people: tuple[PersonAccess, ...]


class SecretReads:
    """The secrets that bundles read, built bundle by bundle."""

    def __init__(self) -> None:
        self.bundles: dict[str, tuple[SecretRef, ...]] = {}

    def add(self, result: BundleResult) -> None:
        """Take in one more bundle."""
        ciphers = (leaf.node.value for leaf in bundle_sealed_leaves(result.resolved))
        found = {SecretRef(one.file, one.path) for one in ciphers if isinstance(one, EncryptedValue)}
        self.bundles[result.bundle.target.id] = tuple(sorted(found))


def build_access_report(run: Run, reads: SecretReads) -> AccessReport:
    """Who can read what in a run whose bundles have been taken out."""
    workspace = run.workspace
    assert workspace
    organization = workspace.organization.document
    people = index_public_keys(organization)
    sealed = {path: one for path, one in run.files.items() if one.secrets_file and one.secrets_file.is_readable}
    files = tuple(
        _file_readers(one.secrets_file, project_readers(workspace, one.location.project), people)
        for _, one in sorted(sealed.items())
        if one.secrets_file and one.location.kind is Kind.SECRETS
    )
    return AccessReport(files, _people_access(files, organization, reads))


def _file_readers(
    sealed: SecretsFile, declared: DeclaredReaders | None, people: Mapping[str, PublicKey]
) -> FileReaders:
    found = tuple(find_key_holder(one, people) for one in sealed.recipients)
    if declared is None:
        return FileReaders(sealed.path, found, sealed.threshold, False, (), ())
    present = {one.key for one in found}
    strangers = dict.fromkeys(one.name for one in found if one.key not in declared.declared)
    missing = sorted({key.person for spelling, key in declared.declared.items() if spelling not in present})
    return FileReaders(sealed.path, found, sealed.threshold, True, tuple(strangers), tuple(missing))


def _people_access(
    files: tuple[FileReaders, ...], organization: Document, reads: SecretReads
) -> tuple[PersonAccess, ...]:
    declared = as_mapping(get_field(organization, "people"))
    named = set(declared.entries) if declared else set()
    names = named | {one.name for file in files for one in file.readers}
    return tuple(
        _person_access(name, name in named, files, reads) for name in sorted(names, key=lambda n: (n not in named, n))
    )


def _person_access(name: str, is_declared: bool, files: tuple[FileReaders, ...], reads: SecretReads) -> PersonAccess:
    groups = {file.path: {one.group for one in file.readers if one.name == name} for file in files}
    can = tuple(path for path, found in groups.items() if found)
    alone = frozenset(file.path for file in files if len(groups[file.path]) >= file.threshold)
    bundles = {id: tuple(one for one in secrets if one.file in can) for id, secrets in reads.bundles.items()}
    return PersonAccess(
        name, is_declared, can, alone & frozenset(can), {id: found for id, found in bundles.items() if found}
    )
