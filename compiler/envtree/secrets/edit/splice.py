"""Replace text at marks of a file: ciphertexts, types and comments.

The MAC of sops covers the plain values only: a ciphertext may be replaced by another one of the same value under the
same data key, and a comment by another one of the same map.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import takewhile

from envtree.model.keypath import KeyPath
from envtree.model.nodes import MappingNode, Node, ScalarNode, SequenceNode
from envtree.model.span import Mark
from envtree.secrets.edit.sops_document import SopsDocument
from envtree.secrets.edit.sops_values import ciphertext

Comments = dict[KeyPath, tuple[str, ...]]


def splice(text: str, changes: Iterable[tuple[Mark, str]]) -> str:
    """Replace the text at some marks, none of which is inside another."""
    starts = _line_offsets(text)
    for mark, new in sorted(changes, reverse=True):
        start, end = _mark_offsets(starts, mark)
        text = text[:start] + new + text[end:]
    return text


def excerpt(text: str, mark: Mark) -> str:
    """Return the text at a mark."""
    start, end = _mark_offsets(_line_offsets(text), mark)
    return text[start:end]


def transplant_ciphertexts(target: SopsDocument, values: Mapping[KeyPath, tuple[SopsDocument, Node]]) -> str:
    """Return the text of a file with the ciphertexts that some of its values have in other files."""
    changes = []
    for path, (source, source_node) in values.items():
        target_node = target.find_node(path)
        if target_node is not None and ciphertext(target_node) == ciphertext(source_node):
            continue
        if isinstance(target_node, ScalarNode) and isinstance(source_node, ScalarNode):
            changes.append(
                (target_node.mark, excerpt(target.text, target_node.mark).replace(target_node.text, source_node.text))
            )
        elif (
            isinstance(target_node, SequenceNode)
            and isinstance(source_node, SequenceNode)
            and target_node.mark[1] == source_node.mark[1]
        ):
            # Replaced as a whole: sops stores the comments of a list as its items.
            changes.append((target_node.mark, excerpt(source.text, source_node.mark)))
    return splice(target.text, changes)


def replace_types(target: SopsDocument, types: Mapping[KeyPath, object]) -> str:
    """Return the text of a file with other types at some values; types are next to the ciphertexts, in clear."""
    changes = [change for path, kind in types.items() for change in _type_changes(target, target.find_node(path), kind)]
    return splice(target.text, changes)


def _type_changes(target: SopsDocument, node: Node | None, kind: object) -> Iterator[tuple[Mark, str]]:
    if isinstance(node, ScalarNode) and kind:
        new = node.text[: node.text.rindex("type:")] + f"type:{kind}]"
        if new != node.text:
            yield node.mark, excerpt(target.text, node.mark).replace(node.text, new)
    elif isinstance(node, SequenceNode) and isinstance(kind, list):
        for item, below in zip(node.items, kind, strict=False):
            yield from _type_changes(target, item, below)
    elif isinstance(node, MappingNode) and isinstance(kind, dict):
        for key, below in kind.items():
            yield from _type_changes(target, node.entries.get(key), below)


def extract_comments(document: SopsDocument) -> Comments:
    """Return the comment lines right above each key, by its path; JSON has none."""
    if document.file.format == "json":
        return {}
    lines = document.text.split("\n")
    return {path: tuple(_comments_above(lines, key_line)) for path, key_line in _key_lines(document.document.root, ())}


def replace_comments(target: SopsDocument, new_comments: Comments) -> str:
    """Return the text of a file with other comments above some of its keys."""
    comments = extract_comments(target)
    lines = target.text.split("\n")
    for path, line in sorted(_key_lines(target.document.root, ()), key=lambda item: item[1], reverse=True):
        old = comments.get(path, ())
        new = new_comments.get(path, old)
        if new != old:
            lines[line - 1 - len(old) : line - 1] = new
    return "\n".join(lines)


def _key_lines(mapping: MappingNode, path: KeyPath) -> Iterator[tuple[KeyPath, int]]:
    """Yield the keys of all maps with their line numbers, without those inside the `sops` map."""
    for key, child in mapping.entries.items():
        yield (*path, key), mapping.key_marks[key][0]
        if isinstance(child, MappingNode) and (*path, key) != ("sops",):
            yield from _key_lines(child, (*path, key))


def _comments_above(lines: list[str], line: int) -> list[str]:
    above = takewhile(lambda text: text.lstrip().startswith("#"), reversed(lines[: line - 1]))
    return list(above)[::-1]


def _line_offsets(text: str) -> list[int]:
    starts = [0]
    for line in text.split("\n"):
        starts.append(starts[-1] + len(line) + 1)
    return starts


def _mark_offsets(starts: list[int], mark: Mark) -> tuple[int, int]:
    line, column, end_line, end_column = mark
    return starts[line - 1] + column - 1, starts[end_line - 1] + end_column - 1
