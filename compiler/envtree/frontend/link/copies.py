"""Ciphertext that stands in two files: sops draws a new number for each value, so one was copied from the other."""

from collections.abc import Iterable, Iterator
from hashlib import sha256

from envtree.model.diagnostic import Diagnostic, Related
from envtree.model.keypath import KeyPath, format_path
from envtree.model.nodes import Mapping, Node, Scalar, Sequence
from envtree.model.resource import Resource
from envtree.model.secrets_file import SealedFile
from envtree.model.span import Span

# Of a digest so many bytes are enough to notice what has to be looked at more closely.
_LENGTH = 16
# The first file, in the order of the paths, in which something stands; and where it stands there.
_First = dict[str, tuple[SealedFile, Span]]


def copies(files: Iterable[SealedFile]) -> Iterator[Diagnostic]:
    """A finding for each file and each earlier one with which it shares a ciphertext, or the wrapped data key."""
    leaves: _First = {}
    wrappings: _First = {}
    for sealed in sorted(files, key=lambda one: one.path):
        found = list(_leaves(sealed.content, ()))
        same: dict[str, list[tuple[KeyPath, Span, Span]]] = {}
        for path, leaf in found:
            span = Span(sealed.path, *leaf.at)
            first, place = leaves.setdefault(leaf.text, (sealed, span))
            if first is not sealed:
                same.setdefault(first.path, []).append((path, span, place))
        for other, shared in same.items():
            yield _copied(sealed, other, shared, len(found))
        for recipient in sealed.recipients:
            first, place = wrappings.setdefault(recipient.wrapped, (sealed, recipient.span))
            if first is not sealed and first.path not in same:
                same[first.path] = []
                yield _same_key(sealed, first, recipient.span, place)


def _copied(sealed: SealedFile, other: str, shared: list[tuple[KeyPath, Span, Span]], total: int) -> Diagnostic:
    path, span, place = shared[0]
    if len(shared) == total:
        which = f"all {total} values are" if total > 1 else "its one value is"
    else:
        which = f"{len(shared)} of {total} values {'are' if len(shared) > 1 else 'is'}"
    message = f"{which} the ciphertext of '{other}', one file was copied from the other"
    related = (Related(place, "the same ciphertext"),)
    return Diagnostic(span, "ET656", message, _anew(sealed), related, format_path(path))


def _same_key(sealed: SealedFile, other: SealedFile, span: Span, place: Span) -> Diagnostic:
    message = f"the file has the data key of '{other.path}', one was made from a copy of the other"
    return Diagnostic(span, "ET656", message, _anew(sealed), (Related(place, "the same wrapped key"),))


def _anew(sealed: SealedFile) -> str:
    return (
        f"give the file values of its own, and a data key with 'envtree secrets rotate {sealed.path}': "
        "with one key their values could change places"
    )


def _leaves(node: Node, path: KeyPath) -> Iterator[tuple[KeyPath, Scalar]]:
    if isinstance(node, Scalar):
        yield path, node
    elif isinstance(node, Mapping):
        for key, child in node.entries.items():
            yield from _leaves(child, (*path, key))
    elif isinstance(node, Sequence):
        for index, item in enumerate(node.items):
            yield from _leaves(item, (*path, str(index)))


def fingerprints(resources: Iterable[Resource]) -> frozenset[bytes]:
    """What two files with a ciphertext in common, or the wrapped data key, have in common."""
    texts: set[str] = set()
    for sealed in (one.sealed for one in resources if one.sealed and one.sealed.readable):
        texts.update(leaf.text for _, leaf in _leaves(sealed.content, ()))
        texts.update(recipient.wrapped for recipient in sealed.recipients)
    return frozenset(sha256(text.encode("utf-8", "surrogateescape")).digest()[:_LENGTH] for text in texts)
