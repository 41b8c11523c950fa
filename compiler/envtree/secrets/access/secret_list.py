"""List the secrets of a tree: file, type and date of each, the variables that it becomes, and who reads it."""

from collections.abc import Iterator
from typing import NamedTuple

from envtree.engine.request import BundleResult
from envtree.engine.run import Run
from envtree.model.keypath import KeyPath, format_path
from envtree.model.merged import merged_span
from envtree.model.nodes import EncryptedValue, Node, ScalarNode, SequenceNode, iter_scalars
from envtree.model.secrets_file import SecretsFile
from envtree.model.source import Kind
from envtree.model.span import Span
from envtree.secrets.access.access_report import SecretReads, SecretRef


class Injection(NamedTuple):
    """A variable that a secret becomes, and the entry of a `secrets` section that says so."""

    name: str
    span: Span


class ListedSecret(NamedTuple):
    """One secret; a list is one secret of type `list`. `lastmodified` is that of its file."""

    file: str
    path: str
    type: str
    lastmodified: str
    injections: tuple[Injection, ...]
    bundles: tuple[str, ...]


class SecretUses:
    """The uses of secrets by bundles, collected bundle by bundle."""

    def __init__(self) -> None:
        self._injections: dict[SecretRef, set[Injection]] = {}
        self._bundles: dict[SecretRef, list[str]] = {}

    def add(self, result: BundleResult) -> None:
        """Add a bundle."""
        for name, secret in result.resolved.injected.items():
            injection = Injection(name, merged_span(secret.selected_by))
            self._injections.setdefault(SecretRef(secret.source, secret.path), set()).add(injection)
        reads = SecretReads()
        reads.add(result)
        for id, secrets in reads.bundles.items():
            for secret_ref in secrets:
                self._bundles.setdefault(secret_ref, []).append(id)

    def injections_of(self, secrets: list[SecretRef]) -> tuple[Injection, ...]:
        """Return the variables that any of the secrets becomes, sorted."""
        return tuple(sorted({use for secret in secrets for use in self._injections.get(secret, ())}))

    def bundles_of(self, secrets: list[SecretRef]) -> tuple[str, ...]:
        """Return the bundles that read any of the secrets, sorted."""
        return tuple(sorted({id for secret in secrets for id in self._bundles.get(secret, ())}))


def list_secrets(run: Run, uses: SecretUses) -> tuple[ListedSecret, ...]:
    """List the secrets of a run whose bundles have been consumed, by file and in the order of each file."""
    return tuple(
        ListedSecret(
            file=file.path,
            path=format_path(path),
            type=_type_name(node),
            lastmodified=file.lastmodified,
            injections=uses.injections_of(refs),
            bundles=uses.bundles_of(refs),
        )
        for file in _readable_files(run)
        for path, node in _iter_secrets(file.content, ())
        for refs in [[*_secret_refs(node)]]
    )


def _readable_files(run: Run) -> Iterator[SecretsFile]:
    for _, resource in sorted(run.files.items()):
        if resource.location.kind is Kind.SECRETS and resource.secrets_file and resource.secrets_file.is_readable:
            yield resource.secrets_file


def _iter_secrets(node: Node, path: KeyPath) -> Iterator[tuple[KeyPath, ScalarNode | SequenceNode]]:
    if isinstance(node, ScalarNode | SequenceNode):
        yield path, node
    else:
        for key, child in node.entries.items():
            yield from _iter_secrets(child, (*path, key))


def _type_name(node: ScalarNode | SequenceNode) -> str:
    if isinstance(node, SequenceNode):
        return "list"
    return node.value.type if isinstance(node.value, EncryptedValue) else ""


def _secret_refs(node: ScalarNode | SequenceNode) -> Iterator[SecretRef]:
    for leaf in iter_scalars(node):
        if isinstance(leaf.value, EncryptedValue):
            yield SecretRef(leaf.value.file, leaf.value.path)
