"""Render a secrets file as lines for `git diff`: names, types and lengths, all of which the file has in clear.

The short digests are those of ciphertexts, which are public and random. Values that are not encrypted are not shown.
"""

from collections.abc import Iterator
from hashlib import sha256

from envtree.diagnostics.printable import printable
from envtree.frontend.parse import parse
from envtree.frontend.validate.sops_metadata import METADATA_KEY, read_sops_metadata
from envtree.model.diagnostic import Diagnostics
from envtree.model.keypath import KeyPath, format_path
from envtree.model.nodes import Document, MappingNode, Node, ScalarNode, SequenceNode
from envtree.model.secrets_file import parse_ciphertext, printable_key
from envtree.model.source import Kind, Location, Source
from envtree.model.span import FILE_START

UNREADABLE = "this is not a file that sops wrote, and nothing of it is shown"
_ANY_LOCATION = Location(Kind.SECRETS, "", "", "", Kind.ORGANIZATION)


def render_textconv(data: bytes, path: str) -> str:
    """Return the lines in the order of the file; the recipients come last."""
    if not data:
        return ""
    document = parse(Source(path, _ANY_LOCATION, data, sha256(data).hexdigest()), Diagnostics())
    if document is None:
        return f"{UNREADABLE}\n"
    values = MappingNode(
        {}, {key: node for key, node in document.root.entries.items() if key != METADATA_KEY}, {}, FILE_START
    )
    return "".join(f"{printable(line)}\n" for line in (*_value_lines(values, ()), *_recipient_lines(document)))


def _value_lines(node: Node, path: KeyPath) -> Iterator[str]:
    if isinstance(node, ScalarNode):
        yield f"{format_path(path)}: {_describe_scalar(node)}"
    elif isinstance(node, SequenceNode):
        for index, item in enumerate(item for item in node.items if not _is_comment(item)):
            yield from _value_lines(item, (*path, str(index)))
    else:
        for key, child in node.entries.items():
            yield from _value_lines(child, (*path, key))
    if (
        path
        and not isinstance(node, ScalarNode)
        and not (node.items if isinstance(node, SequenceNode) else node.entries)
    ):
        yield f"{format_path(path)}: NOT ENCRYPTED"


def _describe_scalar(node: ScalarNode) -> str:
    info = parse_ciphertext(node.text)
    if info is None:
        return "NOT ENCRYPTED"
    unit = "byte" if info.length == 1 else "bytes"
    return f"{info.type}, {info.length} {unit}, ciphertext {_digest(node.text)}"


def _is_comment(node: Node) -> bool:
    info = parse_ciphertext(node.text) if isinstance(node, ScalarNode) else None
    return info is not None and info.type == "comment"


def _recipient_lines(document: Document) -> Iterator[str]:
    block = document.root.entries.get(METADATA_KEY)
    if not isinstance(block, MappingNode):
        yield f"{METADATA_KEY}: MISSING"
        return
    metadata = read_sops_metadata(document, block, Diagnostics())
    for recipient in metadata.recipients:
        group = f", group {recipient.group + 1}" if recipient.group else ""
        key = f"{recipient.kind} {printable_key(recipient.kind, recipient.value)}"
        yield f"{METADATA_KEY}: opens with {key}{group}, data key {_digest(recipient.wrapped_data_key)}"
    yield f"{METADATA_KEY}: written {metadata.lastmodified or 'at no time'}"
    if parse_ciphertext(_text(block.entries.get("mac"))) is None:
        yield f"{METADATA_KEY}: NO MAC"


def _text(node: Node | None) -> str:
    return node.text if isinstance(node, ScalarNode) else ""


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:8]
