"""A secrets file as lines that `git diff` compares: names, types and lengths, all of which are in clear in the file.

The short digests are those of ciphertexts, which are public and random. Of what is not encrypted nothing is shown.
"""

from collections.abc import Iterator
from hashlib import sha256

from envtree.diagnostics.printable import printable
from envtree.frontend.parse import parse
from envtree.frontend.validate.sops_metadata import METADATA, read_metadata
from envtree.model.diagnostic import Diagnostics
from envtree.model.keypath import KeyPath, format_path
from envtree.model.nodes import Document, Mapping, Node, Scalar, Sequence
from envtree.model.secrets_file import encrypted, shown_key
from envtree.model.source import Kind, Location, Source
from envtree.model.span import START

UNREADABLE = "this is not a file that sops wrote, and nothing of it is shown"
_ANYWHERE = Location(Kind.SECRETS, "", "", "", Kind.ORGANIZATION)


def summary(data: bytes, path: str) -> str:
    """The lines, in the order of the file; the keys that open it come last."""
    if not data:
        return ""
    document = parse(Source(path, _ANYWHERE, data, sha256(data).hexdigest()), Diagnostics())
    if document is None:
        return f"{UNREADABLE}\n"
    values = Mapping({}, {key: node for key, node in document.root.entries.items() if key != METADATA}, {}, START)
    return "".join(f"{printable(line)}\n" for line in (*_values(values, ()), *_keys(document)))


def _values(node: Node, path: KeyPath) -> Iterator[str]:
    if isinstance(node, Scalar):
        yield f"{format_path(path)}: {_leaf(node)}"
    elif isinstance(node, Sequence):
        for index, item in enumerate(item for item in node.items if not _is_comment(item)):
            yield from _values(item, (*path, str(index)))
    else:
        for key, child in node.entries.items():
            yield from _values(child, (*path, key))
    if path and not isinstance(node, Scalar) and not (node.items if isinstance(node, Sequence) else node.entries):
        yield f"{format_path(path)}: NOT ENCRYPTED"


def _leaf(node: Scalar) -> str:
    seen = encrypted(node.text)
    if seen is None:
        return "NOT ENCRYPTED"
    return f"{seen.type}, {seen.length} {'byte' if seen.length == 1 else 'bytes'}, ciphertext {_digest(node.text)}"


def _is_comment(node: Node) -> bool:
    seen = encrypted(node.text) if isinstance(node, Scalar) else None
    return seen is not None and seen.type == "comment"


def _keys(document: Document) -> Iterator[str]:
    block = document.root.entries.get(METADATA)
    if not isinstance(block, Mapping):
        yield f"{METADATA}: MISSING"
        return
    metadata = read_metadata(document, block, Diagnostics())
    for one in metadata.recipients:
        group = f", group {one.group + 1}" if one.group else ""
        key = f"{one.kind} {shown_key(one.kind, one.value)}"
        yield f"{METADATA}: opens with {key}{group}, data key {_digest(one.wrapped)}"
    yield f"{METADATA}: written {metadata.lastmodified or 'at no time'}"
    if encrypted(_text(block.entries.get("mac"))) is None:
        yield f"{METADATA}: NO MAC"


def _text(node: Node | None) -> str:
    return node.text if isinstance(node, Scalar) else ""


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:8]
