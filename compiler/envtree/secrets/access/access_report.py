"""Report who can read which secret of which bundle, by the keys for which the files are really encrypted."""

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
    """A secret by its file and its path in that file."""

    file: str
    path: str


class FileReaders(NamedTuple):
    """The readers of a file; `undeclared` can open it without being declared, `missing` are declared and cannot.

    Where no readers are declared, `has_declared_readers` is False and `undeclared` is empty. Keys of `threshold` groups
    are needed to open the file.
    """

    path: str
    readers: tuple[KeyHolder, ...]
    threshold: int
    has_declared_readers: bool
    undeclared: tuple[str, ...]
    missing: tuple[str, ...]


class PersonAccess(NamedTuple):
    """The files, and the secrets of each bundle, that one person can read.

    `openable_alone` are the files that need no other person's key. `is_declared` reports whether `people` has the name.
    """

    name: str
    is_declared: bool
    files: tuple[str, ...]
    openable_alone: frozenset[str]
    bundles: Mapping[str, tuple[SecretRef, ...]]


class AccessReport(NamedTuple):
    """The access of all people, sorted by name, undeclared ones last."""

    files: tuple[FileReaders, ...]
    people: tuple[PersonAccess, ...]


class SecretReads:
    """The secrets that each bundle reads, collected bundle by bundle."""

    def __init__(self) -> None:
        self.bundles: dict[str, tuple[SecretRef, ...]] = {}

    def add(self, result: BundleResult) -> None:
        """Add a bundle."""
        encrypted_values = (leaf.node.value for leaf in bundle_sealed_leaves(result.resolved))
        secrets = {SecretRef(value.file, value.path) for value in encrypted_values if isinstance(value, EncryptedValue)}
        self.bundles[result.bundle.target.id] = tuple(sorted(secrets))


def build_access_report(run: Run, reads: SecretReads) -> AccessReport:
    """Build the report for a run whose bundles have been consumed."""
    workspace = run.workspace
    assert workspace
    organization = workspace.organization.document
    people = index_public_keys(organization)
    secrets_resources = {
        path: resource
        for path, resource in run.files.items()
        if resource.secrets_file and resource.secrets_file.is_readable
    }
    files = tuple(
        _file_readers(resource.secrets_file, project_readers(workspace, resource.location.project), people)
        for _, resource in sorted(secrets_resources.items())
        if resource.secrets_file and resource.location.kind is Kind.SECRETS
    )
    return AccessReport(files, _people_access(files, organization, reads))


def _file_readers(
    sealed: SecretsFile, declared: DeclaredReaders | None, people: Mapping[str, PublicKey]
) -> FileReaders:
    holders = tuple(find_key_holder(recipient, people) for recipient in sealed.recipients)
    if declared is None:
        return FileReaders(
            path=sealed.path,
            readers=holders,
            threshold=sealed.threshold,
            has_declared_readers=False,
            undeclared=(),
            missing=(),
        )
    present = {holder.key for holder in holders}
    undeclared = dict.fromkeys(holder.name for holder in holders if holder.key not in declared.declared)
    missing = sorted({key.person for spelling, key in declared.declared.items() if spelling not in present})
    return FileReaders(
        path=sealed.path,
        readers=holders,
        threshold=sealed.threshold,
        has_declared_readers=True,
        undeclared=tuple(undeclared),
        missing=tuple(missing),
    )


def _people_access(
    files: tuple[FileReaders, ...], organization: Document, reads: SecretReads
) -> tuple[PersonAccess, ...]:
    people = as_mapping(get_field(organization, "people"))
    declared_names = set(people.entries) if people else set()
    names = declared_names | {holder.name for file in files for holder in file.readers}
    return tuple(
        _person_access(name, name in declared_names, files, reads)
        for name in sorted(names, key=lambda name: (name not in declared_names, name))
    )


def _person_access(name: str, is_declared: bool, files: tuple[FileReaders, ...], reads: SecretReads) -> PersonAccess:
    groups = {file.path: {holder.group for holder in file.readers if holder.name == name} for file in files}
    readable = tuple(path for path, own_groups in groups.items() if own_groups)
    openable = frozenset(file.path for file in files if len(groups[file.path]) >= file.threshold)
    bundles = {
        id: tuple(secret for secret in secrets if secret.file in readable) for id, secrets in reads.bundles.items()
    }
    return PersonAccess(
        name=name,
        is_declared=is_declared,
        files=readable,
        openable_alone=openable & frozenset(readable),
        bundles={id: secrets for id, secrets in bundles.items() if secrets},
    )
