"""Detect ciphertext that occurs in two files: sops encrypts each value with a new random number, so it was copied."""

from collections.abc import Iterable, Iterator
from hashlib import sha256

from envtree.model.diagnostic import Diagnostic, RelatedSpan
from envtree.model.keypath import KeyPath, format_path
from envtree.model.nodes import MappingNode, Node, ScalarNode, SequenceNode
from envtree.model.resource import Resource
from envtree.model.secrets_file import SecretsFile
from envtree.model.span import Span

# So many bytes of a digest suffice to find candidates for the exact check.
_DIGEST_LENGTH = 16
# By text: the first file, in path order, in which it occurs, and where.
_FirstOccurrences = dict[str, tuple[SecretsFile, Span]]


def find_copied_ciphertext(files: Iterable[SecretsFile]) -> Iterator[Diagnostic]:
    """Report each pair of files that share a ciphertext or the wrapped data key, at the later file in path order."""
    first_values: _FirstOccurrences = {}
    first_wrappings: _FirstOccurrences = {}
    for secrets_file in sorted(files, key=lambda file: file.path):
        leaves = list(_iter_leaves(secrets_file.content, ()))
        shared_values: dict[str, list[tuple[KeyPath, Span, Span]]] = {}
        for path, leaf in leaves:
            span = Span(secrets_file.path, *leaf.mark)
            first, source_span = first_values.setdefault(leaf.text, (secrets_file, span))
            if first is not secrets_file:
                shared_values.setdefault(first.path, []).append((path, span, source_span))
        for source_path, shared in shared_values.items():
            yield _copied_values_finding(secrets_file, source_path, shared, len(leaves))
        for recipient in secrets_file.recipients:
            first, source_span = first_wrappings.setdefault(recipient.wrapped_data_key, (secrets_file, recipient.span))
            if first is not secrets_file and first.path not in shared_values:
                shared_values[first.path] = []
                yield _shared_data_key_finding(secrets_file, first, recipient.span, source_span)


def _copied_values_finding(
    secrets_file: SecretsFile, source_path: str, shared: list[tuple[KeyPath, Span, Span]], total: int
) -> Diagnostic:
    path, span, source_span = shared[0]
    if len(shared) == total:
        subject = f"all {total} values are" if total > 1 else "its one value is"
    else:
        subject = f"{len(shared)} of {total} values {'are' if len(shared) > 1 else 'is'}"
    message = f"{subject} the ciphertext of '{source_path}', one file was copied from the other"
    related = (RelatedSpan(source_span, "the same ciphertext"),)
    return Diagnostic(span, "ET656", message, _rotate_hint(secrets_file), related=related, key=format_path(path))


def _shared_data_key_finding(
    secrets_file: SecretsFile, source: SecretsFile, span: Span, source_span: Span
) -> Diagnostic:
    message = f"the file has the data key of '{source.path}', one was made from a copy of the other"
    return Diagnostic(
        span, "ET656", message, _rotate_hint(secrets_file), related=(RelatedSpan(source_span, "the same wrapped key"),)
    )


def _rotate_hint(secrets_file: SecretsFile) -> str:
    return (
        f"give the file values of its own, and a data key with 'envtree secrets rotate {secrets_file.path}': "
        "with one key their values could change places"
    )


def _iter_leaves(node: Node, path: KeyPath) -> Iterator[tuple[KeyPath, ScalarNode]]:
    if isinstance(node, ScalarNode):
        yield path, node
    elif isinstance(node, MappingNode):
        for key, child in node.entries.items():
            yield from _iter_leaves(child, (*path, key))
    elif isinstance(node, SequenceNode):
        for index, item in enumerate(node.items):
            yield from _iter_leaves(item, (*path, str(index)))


def ciphertext_digests(resources: Iterable[Resource]) -> frozenset[bytes]:
    """Return digests of the ciphertexts and wrapped data keys of the resources.

    The sets of two projects overlap if a ciphertext or a wrapped data key occurs in both.
    """
    texts: set[str] = set()
    for secrets_file in (
        item.secrets_file for item in resources if item.secrets_file and item.secrets_file.is_readable
    ):
        texts.update(leaf.text for _, leaf in _iter_leaves(secrets_file.content, ()))
        texts.update(recipient.wrapped_data_key for recipient in secrets_file.recipients)
    return frozenset(sha256(text.encode("utf-8", "surrogateescape")).digest()[:_DIGEST_LENGTH] for text in texts)
