"""Where a file has an `execution_environment`, and what plain data is in it once its directives are looked through."""

from collections.abc import Iterator
from typing import Any

from envtree.model.keypath import KeyPath
from envtree.model.nodes import Document, Mapping, Node, Scalar, Sequence
from envtree.model.source import Kind

SECTION = "execution_environment"
OVERLAYS = "environments"

# The kinds that are layers: only there are directives followed and expressions evaluated.
LAYERS = frozenset({Kind.ORGANIZATION, Kind.PROJECT, Kind.ENVIRONMENT, Kind.OVERLAY, Kind.TEAM, Kind.AGENT})

_GONE = object()


def sections(document: Document) -> Iterator[tuple[KeyPath, Mapping]]:
    """Every `execution_environment` of a file, with its path."""
    entries = document.root.entries
    own = entries.get(SECTION)
    if isinstance(own, Mapping):
        yield (SECTION,), own
    overlays = entries.get(OVERLAYS)
    if document.location.kind is Kind.AGENT and isinstance(overlays, Mapping):
        for name, overlay in overlays.entries.items():
            section = overlay.entries.get(SECTION) if isinstance(overlay, Mapping) else None
            if isinstance(section, Mapping):
                yield (OVERLAYS, name, SECTION), section


def below_section(path: KeyPath) -> KeyPath:
    """A path as it is in a bundle: without the way to the `execution_environment` that it leads into."""
    own = 3 if path[:1] == (OVERLAYS,) else 1
    return path[own:] if len(path) > own and path[own - 1] == SECTION else path


def is_directive(node: Node) -> bool:
    """Whether a node is a map whose keys all begin with one `$`; a literal `$x` is written `$$x`."""
    return isinstance(node, Mapping) and bool(node.entries) and all(map(is_dollar, node.entries))


def is_dollar(key: str) -> bool:
    """Whether a key is that of a directive."""
    return key.startswith("$") and not key.startswith(("$$", "${{"))


def operand(node: Node) -> Node | None:
    """The value that a directive carries: it must fit where the directive stands."""
    if not isinstance(node, Mapping) or not is_directive(node):
        return None
    carriers = (node.entries.get(key) for key in ("$value", "$replace", "$append", "$prepend"))
    return next((carried for carried in carriers if carried is not None), None)


def unwrap(node: Node) -> Node:
    """A node, or what it carries if it is a directive."""
    while (inner := operand(node)) is not None:
        node = inner
    return node


def plain(document: Document) -> dict[str, Any]:
    """The data of a file with the values of directives in their place; what carries none is left out."""
    value = dict(document.root.value)
    for path, section in sections(document):
        holder = value
        for key in path[:-1]:
            holder[key] = holder = dict(holder[key])
        holder[path[-1]] = {key: data for key, child in section.entries.items() if (data := _plain(child)) is not _GONE}
    return value


def _plain(node: Node) -> Any:
    if isinstance(node, (Scalar, Sequence)):
        return node.value
    if is_directive(node):
        inner = operand(node)
        return _GONE if inner is None else _plain(inner)
    return {key: data for key, child in node.entries.items() if (data := _plain(child)) is not _GONE}


def outside(document: Document) -> Iterator[tuple[KeyPath, Node]]:
    """Every node that is not inside an `execution_environment` of a layer, with its path; maps come first."""
    layer = document.location.kind in LAYERS
    inside = {path for path, _ in sections(document)} if layer else set()
    return _walk(document.root, (), inside)


def walk(node: Node, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Node]]:
    """A node and all below it, with their paths."""
    return _walk(node, path, set())


def _walk(node: Node, path: KeyPath, without: set[KeyPath]) -> Iterator[tuple[KeyPath, Node]]:
    if path in without:
        return
    yield path, node
    if isinstance(node, Mapping):
        for key, child in node.entries.items():
            yield from _walk(child, (*path, key), without)
    elif isinstance(node, Sequence):
        for index, item in enumerate(node.items):
            yield from _walk(item, (*path, str(index)), without)
