"""Other text at the places of a file. The MAC of sops covers what is encrypted, not how: a ciphertext may be replaced
by another of the same value under the same data key, and comments by others of the same map.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import takewhile

from envtree.model import nodes as node
from envtree.model.keypath import KeyPath
from envtree.model.nodes import Node, ScalarNode
from envtree.model.span import Mark
from envtree.secrets.edit.sops_document import SopsDocument
from envtree.secrets.edit.sops_values import ciphertext

Comments = dict[KeyPath, tuple[str, ...]]


def splice(text: str, changes: Iterable[tuple[Mark, str]]) -> str:
    """The text with other text at some places, none inside another."""
    starts = _line_offsets(text)
    for at, new in sorted(changes, reverse=True):
        start, end = _mark_offsets(starts, at)
        text = text[:start] + new + text[end:]
    return text


def excerpt(text: str, at: Mark) -> str:
    """The text at a place."""
    start, end = _mark_offsets(_line_offsets(text), at)
    return text[start:end]


def transplant_ciphertexts(target: SopsDocument, values: Mapping[KeyPath, tuple[SopsDocument, Node]]) -> str:
    """The text of a file with the ciphertexts that some of its values have in other files."""
    changes = []
    for path, (source, there) in values.items():
        here = target.find_node(path)
        if here is not None and ciphertext(here) == ciphertext(there):
            continue
        if isinstance(here, ScalarNode) and isinstance(there, ScalarNode):
            changes.append((here.mark, excerpt(target.text, here.mark).replace(here.text, there.text)))
        elif (
            isinstance(here, node.SequenceNode)
            and isinstance(there, node.SequenceNode)
            and here.mark[1] == there.mark[1]
        ):
            # As a whole: sops keeps the comments of a list as items of it.
            changes.append((here.mark, excerpt(source.text, there.mark)))
    return splice(target.text, changes)


def replace_types(target: SopsDocument, types: Mapping[KeyPath, object]) -> str:
    """The text of a file with other types at some values; they stand beside the ciphertexts, in clear."""
    changes = [change for path, kind in types.items() for change in _type_changes(target, target.find_node(path), kind)]
    return splice(target.text, changes)


def _type_changes(target: SopsDocument, at: Node | None, kind: object) -> Iterator[tuple[Mark, str]]:
    if isinstance(at, ScalarNode) and kind:
        new = at.text[: at.text.rindex("type:")] + f"type:{kind}]"
        if new != at.text:
            yield at.mark, excerpt(target.text, at.mark).replace(at.text, new)
    elif isinstance(at, node.SequenceNode) and isinstance(kind, list):
        for item, below in zip(at.items, kind, strict=False):
            yield from _type_changes(target, item, below)
    elif isinstance(at, node.MappingNode) and isinstance(kind, dict):
        for key, below in kind.items():
            yield from _type_changes(target, at.entries.get(key), below)


def extract_comments(sealed: SopsDocument) -> Comments:
    """The lines of comments right above each key, by its path; in JSON there are none."""
    if sealed.file.format == "json":
        return {}
    lines = sealed.text.split("\n")
    return {path: tuple(_comments_above(lines, line)) for path, line in _key_lines(sealed.document.root, ())}


def replace_comments(target: SopsDocument, wanted: Comments) -> str:
    """The text of a file with other comments above some of its keys."""
    found = extract_comments(target)
    lines = target.text.split("\n")
    for path, line in sorted(_key_lines(target.document.root, ()), key=lambda each: each[1], reverse=True):
        old = found.get(path, ())
        new = wanted.get(path, old)
        if new != old:
            lines[line - 1 - len(old) : line - 1] = new
    return "\n".join(lines)


def _key_lines(mapping: node.MappingNode, path: KeyPath) -> Iterator[tuple[KeyPath, int]]:
    """The keys of all maps and the lines on which they stand; what is in the `sops` map is none of them."""
    for key, child in mapping.entries.items():
        yield (*path, key), mapping.key_marks[key][0]
        if isinstance(child, node.MappingNode) and (*path, key) != ("sops",):
            yield from _key_lines(child, (*path, key))


def _comments_above(lines: list[str], line: int) -> list[str]:
    above = takewhile(lambda text: text.lstrip().startswith("#"), reversed(lines[: line - 1]))
    return list(above)[::-1]


def _line_offsets(text: str) -> list[int]:
    starts = [0]
    for line in text.split("\n"):
        starts.append(starts[-1] + len(line) + 1)
    return starts


def _mark_offsets(starts: list[int], at: Mark) -> tuple[int, int]:
    line, column, end_line, end_column = at
    return starts[line - 1] + column - 1, starts[end_line - 1] + end_column - 1
