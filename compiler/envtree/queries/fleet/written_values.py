"""What a file writes: each value by the path that it is read by, and where directives expect something."""

from collections.abc import Iterator
from typing import NamedTuple

from envtree.compile.merge.layer_changes import is_directive
from envtree.model.keypath import KeyPath
from envtree.model.nodes import MappingNode, Node, ScalarNode, SequenceNode

_REMOVALS = ("$delete", "$remove")


class WrittenValue(NamedTuple):
    """A value: a scalar, a list or an empty map; a directive without a value stands for itself.

    A `plain` one has no directive on it or around it; one that `removes` takes something away, and brings nothing.
    """

    path: KeyPath
    node: Node
    is_plain: bool
    is_removal: bool = False


def list_written_values(section: MappingNode) -> Iterator[WrittenValue]:
    """The values of an `execution_environment`."""
    for name, node in section.entries.items():
        yield from (
            _walk_secret_names(node, (name,), is_plain=True)
            if name == "secrets"
            else _walk_values(node, (name,), is_plain=True)
        )


def list_sealed_values(content: MappingNode) -> Iterator[WrittenValue]:
    """The values of a secrets file."""
    return _walk_values(content, (), is_plain=True)


def find_expectations(node: Node, path: KeyPath = ()) -> Iterator[KeyPath]:
    """The paths at which `$expect` stands."""
    if not isinstance(node, MappingNode):
        return
    directive = is_directive(node)
    if directive and "$expect" in node.entries:
        yield path
    for key, child in node.entries.items():
        yield from find_expectations(child, path if directive else (*path, _unescape_key(key)))


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
    """The names in `secrets`, where a list of names stands for a map, and list directives for entries of it."""
    if isinstance(node, SequenceNode):
        for item in node.items:
            if isinstance(item, ScalarNode):
                yield WrittenValue((*path, str(item.value)), item, is_plain)
    elif isinstance(node, MappingNode) and is_directive(node) and "$delete" not in node.entries:
        for operand, child in node.entries.items():
            for found in _walk_secret_names(child, path, is_plain=False) if operand not in ("$lock", "$expect") else ():
                yield found._replace(is_removal=found.is_removal or operand == "$remove")
    else:
        yield from _walk_values(node, path, is_plain=is_plain)


def _unescape_key(key: str) -> str:
    """A key as it is read: a literal `$x` is written `$$x`."""
    return key[1:] if key.startswith("$$") else key


def find_lists(node: Node, path: KeyPath = ()) -> Iterator[KeyPath]:
    """The paths of lists, those that only directives make included; what a list holds has `*` for its place."""
    if isinstance(node, SequenceNode):
        yield path
        for item in node.items:
            yield from find_lists(item, (*path, "*"))
    elif isinstance(node, MappingNode):
        directive = is_directive(node)
        for key, child in node.entries.items():
            yield from find_lists(child, path if directive else (*path, _unescape_key(key)))
