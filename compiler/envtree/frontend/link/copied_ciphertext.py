"""Ciphertext that stands in two files: sops draws a new number for each value, so one was copied from the other."""

from collections.abc import Iterable, Iterator
from hashlib import sha256

from envtree.model.diagnostic import Diagnostic, RelatedSpan
from envtree.model.keypath import KeyPath, format_path
from envtree.model.nodes import MappingNode, Node, ScalarNode, SequenceNode
from envtree.model.resource import Resource
from envtree.model.secrets_file import SecretsFile
from envtree.model.span import Span

# Of a digest so many bytes are enough to notice what has to be looked at more closely.
_DIGEST_LENGTH = 16
# The first file, in the order of the paths, in which something stands; and where it stands there.
_FirstOccurrences = dict[str, tuple[SecretsFile, Span]]


def find_copied_ciphertext(files: Iterable[SecretsFile]) -> Iterator[Diagnostic]:
    """A finding for each file and each earlier one with which it shares a ciphertext, or the wrapped data key."""
    leaves: _FirstOccurrences = {}
    wrappings: _FirstOccurrences = {}
    for sealed in sorted(files, key=lambda one: one.path):
        found = list(_iter_leaves(sealed.content, ()))
        same: dict[str, list[tuple[KeyPath, Span, Span]]] = {}
        for path, leaf in found:
            span = Span(sealed.path, *leaf.mark)
            first, place = leaves.setdefault(leaf.text, (sealed, span))
            if first is not sealed:
                same.setdefault(first.path, []).append((path, span, place))
        for other, shared in same.items():
            yield _copied_values_finding(sealed, other, shared, len(found))
        for recipient in sealed.recipients:
            first, place = wrappings.setdefault(recipient.wrapped_data_key, (sealed, recipient.span))
            if first is not sealed and first.path not in same:
                same[first.path] = []
                yield _shared_data_key_finding(sealed, first, recipient.span, place)


def _copied_values_finding(
    sealed: SecretsFile, source_path: str, shared: list[tuple[KeyPath, Span, Span]], total: int
) -> Diagnostic:
    path, span, place = shared[0]
    if len(shared) == total:
        which = f"all {total} values are" if total > 1 else "its one value is"
    else:
        which = f"{len(shared)} of {total} values {'are' if len(shared) > 1 else 'is'}"
    message = f"{which} the ciphertext of '{source_path}', one file was copied from the other"
    related = (RelatedSpan(place, "the same ciphertext"),)
    return Diagnostic(span, "ET656", message, _rotate_hint(sealed), related, format_path(path))


def _shared_data_key_finding(sealed: SecretsFile, source: SecretsFile, span: Span, place: Span) -> Diagnostic:
    message = f"the file has the data key of '{source.path}', one was made from a copy of the other"
    return Diagnostic(span, "ET656", message, _rotate_hint(sealed), (RelatedSpan(place, "the same wrapped key"),))


def _rotate_hint(sealed: SecretsFile) -> str:
    return (
        f"give the file values of its own, and a data key with 'envtree secrets rotate {sealed.path}': "
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
    """What two files with a ciphertext in common, or the wrapped data key, have in common."""
    texts: set[str] = set()
    for sealed in (one.secrets_file for one in resources if one.secrets_file and one.secrets_file.is_readable):
        texts.update(leaf.text for _, leaf in _iter_leaves(sealed.content, ()))
        texts.update(recipient.wrapped_data_key for recipient in sealed.recipients)
    return frozenset(sha256(text.encode("utf-8", "surrogateescape")).digest()[:_DIGEST_LENGTH] for text in texts)
