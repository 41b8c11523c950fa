"""What a file writes: each value by the path that it is read by, and where directives expect something."""

from collections.abc import Iterator
from typing import NamedTuple

from envtree.compile.merge.lift import is_directive
from envtree.model.keypath import KeyPath
from envtree.model.nodes import Mapping, Node, Scalar, Sequence

_REMOVALS = ("$delete", "$remove")


class WrittenValue(NamedTuple):
    """A value: a scalar, a list or an empty map; a directive without a value stands for itself.

    A `plain` one has no directive on it or around it; one that `removes` takes something away, and brings nothing.
    """

    path: KeyPath
    node: Node
    plain: bool
    removes: bool = False


def written(section: Mapping) -> Iterator[WrittenValue]:
    """The values of an `execution_environment`."""
    for name, node in section.entries.items():
        yield from _names(node, (name,), plain=True) if name == "secrets" else _values(node, (name,), plain=True)


def sealed(content: Mapping) -> Iterator[WrittenValue]:
    """The values of a secrets file."""
    return _values(content, (), plain=True)


def expectations(node: Node, path: KeyPath = ()) -> Iterator[KeyPath]:
    """The paths at which `$expect` stands."""
    if not isinstance(node, Mapping):
        return
    directive = is_directive(node)
    if directive and "$expect" in node.entries:
        yield path
    for key, child in node.entries.items():
        yield from expectations(child, path if directive else (*path, _name(key)))


def _values(node: Node, path: KeyPath, *, plain: bool) -> Iterator[WrittenValue]:
    if not isinstance(node, Mapping) or not node.entries:
        yield WrittenValue(path, node, plain)
    elif is_directive(node):
        inner = node.entries.get("$value", node.entries.get("$replace"))
        if inner is None:
            adds = "$append" in node.entries or "$prepend" in node.entries
            yield WrittenValue(path, node, False, removes=not adds and any(name in node.entries for name in _REMOVALS))
        else:
            yield from _values(inner, path, plain=False)
    else:
        for key, child in node.entries.items():
            yield from _values(child, (*path, _name(key)), plain=plain)


def _names(node: Node, path: KeyPath, *, plain: bool) -> Iterator[WrittenValue]:
    """The names in `secrets`, where a list of names stands for a map, and list directives for entries of it."""
    if isinstance(node, Sequence):
        for item in node.items:
            if isinstance(item, Scalar):
                yield WrittenValue((*path, str(item.value)), item, plain)
    elif isinstance(node, Mapping) and is_directive(node) and "$delete" not in node.entries:
        for operand, child in node.entries.items():
            for found in _names(child, path, plain=False) if operand not in ("$lock", "$expect") else ():
                yield found._replace(removes=found.removes or operand == "$remove")
    else:
        yield from _values(node, path, plain=plain)


def _name(key: str) -> str:
    """A key as it is read: a literal `$x` is written `$$x`."""
    return key[1:] if key.startswith("$$") else key


def lists(node: Node, path: KeyPath = ()) -> Iterator[KeyPath]:
    """The paths of lists, those that only directives make included; what a list holds has `*` for its place."""
    if isinstance(node, Sequence):
        yield path
        for item in node.items:
            yield from lists(item, (*path, "*"))
    elif isinstance(node, Mapping):
        directive = is_directive(node)
        for key, child in node.entries.items():
            yield from lists(child, path if directive else (*path, _name(key)))
