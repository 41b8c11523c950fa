"""The values that a file writes, by the path that they are read by, and the paths of `$expect` directives and lists."""

from collections.abc import Iterator
from typing import Literal, NamedTuple

from envtree.compile.merge.layer_changes import is_directive
from envtree.model.keypath import KeyPath
from envtree.model.nodes import MappingNode, Node, ScalarNode, SequenceNode

_REMOVALS = ("$delete", "$remove")


ValueKind = Literal["list", "map", "scalar"]


class WrittenValue(NamedTuple):
    """A value as written: a scalar, a list or an empty map, or a directive without a value.

    An `is_plain` one has no directive on or around it; an `is_removal` one only removes something.
    """

    path: KeyPath
    node: Node
    is_plain: bool
    is_removal: bool = False


def list_written_values(section: MappingNode) -> Iterator[WrittenValue]:
    """Yield the values of an `execution_environment`."""
    for name, node in section.entries.items():
        yield from (
            _walk_secret_names(node, (name,), is_plain=True)
            if name == "secrets"
            else _walk_values(node, (name,), is_plain=True)
        )


def list_sealed_values(content: MappingNode) -> Iterator[WrittenValue]:
    """Return the values of a secrets file."""
    return _walk_values(content, (), is_plain=True)


def find_expectations(node: Node, path: KeyPath = ()) -> Iterator[KeyPath]:
    """Yield the paths with an `$expect`."""
    if not isinstance(node, MappingNode):
        return
    has_directive = is_directive(node)
    if has_directive and "$expect" in node.entries:
        yield path
    for key, child in node.entries.items():
        yield from find_expectations(child, path if has_directive else (*path, _unescape_key(key)))


def _walk_values(node: Node, path: KeyPath, *, is_plain: bool) -> Iterator[WrittenValue]:
    if not isinstance(node, MappingNode) or not node.entries:
        yield WrittenValue(path, node, is_plain)
    elif is_directive(node):
        inner = node.entries.get("$value", node.entries.get("$replace"))
        if inner is None:
            adds = "$append" in node.entries or "$prepend" in node.entries
            yield WrittenValue(
                path, node, False, is_removal=not adds and any(name in node.entries for name in _REMOVALS)
            )
        else:
            yield from _walk_values(inner, path, is_plain=False)
    else:
        for key, child in node.entries.items():
            yield from _walk_values(child, (*path, _unescape_key(key)), is_plain=is_plain)


def _walk_secret_names(node: Node, path: KeyPath, *, is_plain: bool) -> Iterator[WrittenValue]:
    """Yield the names in `secrets`, where lists of names count as maps, and list directives as entries."""
    if isinstance(node, SequenceNode):
        for item in node.items:
            if isinstance(item, ScalarNode):
                yield WrittenValue((*path, str(item.value)), item, is_plain)
    elif isinstance(node, MappingNode) and is_directive(node) and "$delete" not in node.entries:
        for operand, child in node.entries.items():
            for written in (
                _walk_secret_names(child, path, is_plain=False) if operand not in ("$lock", "$expect") else ()
            ):
                yield written._replace(is_removal=written.is_removal or operand == "$remove")
    else:
        yield from _walk_values(node, path, is_plain=is_plain)


def _unescape_key(key: str) -> str:
    """Return a key as it is read: `$$x` is written for a literal `$x`."""
    return key[1:] if key.startswith("$$") else key


def find_merged_values(node: Node, path: KeyPath = ()) -> Iterator[tuple[KeyPath, ValueKind]]:
    """Yield the paths of lists, maps and scalars, also those that directives make; elements have the key `*`."""
    if isinstance(node, SequenceNode):
        yield path, "list"
        for item in node.items:
            yield from find_merged_values(item, (*path, "*"))
    elif isinstance(node, MappingNode):
        has_directive = is_directive(node)
        if not has_directive:
            yield path, "map"
        for key, child in node.entries.items():
            yield from find_merged_values(child, path if has_directive else (*path, _unescape_key(key)))
    else:
        yield path, "scalar"
