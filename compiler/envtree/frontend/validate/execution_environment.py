"""Where a file has an `execution_environment`, and what plain data is in it once its directives are looked through."""

from collections.abc import Iterator
from typing import Any

from envtree.model.keypath import KeyPath
from envtree.model.nodes import Document, MappingNode, Node, ScalarNode, SequenceNode
from envtree.model.source import Kind

EXECUTION_ENVIRONMENT = "execution_environment"
OVERLAYS_KEY = "environments"

# The kinds that are layers: only there are directives followed and expressions evaluated.
LAYER_KINDS = frozenset({Kind.ORGANIZATION, Kind.PROJECT, Kind.ENVIRONMENT, Kind.OVERLAY, Kind.TEAM, Kind.AGENT})

_NO_VALUE = object()


def execution_environments(document: Document) -> Iterator[tuple[KeyPath, MappingNode]]:
    """Every `execution_environment` of a file, with its path."""
    entries = document.root.entries
    own = entries.get(EXECUTION_ENVIRONMENT)
    if isinstance(own, MappingNode):
        yield (EXECUTION_ENVIRONMENT,), own
    overlays = entries.get(OVERLAYS_KEY)
    if document.location.kind is Kind.AGENT and isinstance(overlays, MappingNode):
        for name, overlay in overlays.entries.items():
            section = overlay.entries.get(EXECUTION_ENVIRONMENT) if isinstance(overlay, MappingNode) else None
            if isinstance(section, MappingNode):
                yield (OVERLAYS_KEY, name, EXECUTION_ENVIRONMENT), section


def to_bundle_path(path: KeyPath) -> KeyPath:
    """A path as it is in a bundle: without the way to the `execution_environment` that it leads into."""
    own = 3 if path[:1] == (OVERLAYS_KEY,) else 1
    return path[own:] if len(path) > own and path[own - 1] == EXECUTION_ENVIRONMENT else path


def is_directive(node: Node) -> bool:
    """Whether a node is a map whose keys all begin with one `$`; a literal `$x` is written `$$x`."""
    return isinstance(node, MappingNode) and bool(node.entries) and all(map(is_directive_key, node.entries))


def is_directive_key(key: str) -> bool:
    """Whether a key is that of a directive."""
    return key.startswith("$") and not key.startswith(("$$", "${{"))


def directive_operand(node: Node) -> Node | None:
    """The value that a directive carries: it must fit where the directive stands."""
    if not isinstance(node, MappingNode) or not is_directive(node):
        return None
    carriers = (node.entries.get(key) for key in ("$value", "$replace", "$append", "$prepend"))
    return next((carried for carried in carriers if carried is not None), None)


def unwrap_directive(node: Node) -> Node:
    """A node, or what it carries if it is a directive."""
    while (inner := directive_operand(node)) is not None:
        node = inner
    return node


def data_without_directives(document: Document) -> dict[str, Any]:
    """The data of a file with the values of directives in their place; what carries none is left out."""
    value = dict(document.root.value)
    for path, section in execution_environments(document):
        holder = value
        for key in path[:-1]:
            holder[key] = holder = dict(holder[key])
        holder[path[-1]] = {
            key: data
            for key, child in section.entries.items()
            if (data := _value_without_directives(child)) is not _NO_VALUE
        }
    return value


def _value_without_directives(node: Node) -> Any:
    if isinstance(node, (ScalarNode, SequenceNode)):
        return node.value
    if is_directive(node):
        inner = directive_operand(node)
        return _NO_VALUE if inner is None else _value_without_directives(inner)
    return {
        key: data for key, child in node.entries.items() if (data := _value_without_directives(child)) is not _NO_VALUE
    }


def walk_outside_layers(document: Document) -> Iterator[tuple[KeyPath, Node]]:
    """Every node that is not inside an `execution_environment` of a layer, with its path; maps come first."""
    layer = document.location.kind in LAYER_KINDS
    inside = {path for path, _ in execution_environments(document)} if layer else set()
    return _walk_except(document.root, (), inside)


def walk(node: Node, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Node]]:
    """A node and all below it, with their paths."""
    return _walk_except(node, path, set())


def _walk_except(node: Node, path: KeyPath, excluded: set[KeyPath]) -> Iterator[tuple[KeyPath, Node]]:
    if path in excluded:
        return
    yield path, node
    if isinstance(node, MappingNode):
        for key, child in node.entries.items():
            yield from _walk_except(child, (*path, key), excluded)
    elif isinstance(node, SequenceNode):
        for index, item in enumerate(node.items):
            yield from _walk_except(item, (*path, str(index)), excluded)
