"""Where a value of a bundle was written."""

from collections.abc import Sequence

from envtree.model.merged import Branch, Listing, Merged, span_of
from envtree.model.resolved import Resolved
from envtree.model.span import Span, whole_file


def supplier(resolved: Resolved, path: Sequence[str | int]) -> Span:
    """The place of the deepest written value on a path into the bundle; else the agent's file."""
    if len(path) > 1 and path[0] == "env_vars" and path[1] in resolved.injected:
        return span_of(resolved.injected[str(path[1])].chosen)
    if path and path[0] == "model_id" and resolved.merged.model:
        scalar, layer = resolved.merged.model
        return Span(layer.path, *scalar.at)
    node = resolved.merged.sections.get(str(path[0])) if path else None
    if node is None:
        return whole_file(resolved.merged.stack.agent.path)
    for part in path[1:]:
        child = _child(node, part)
        if child is None:
            break
        node = child
    return span_of(node)


def _child(node: Merged, part: str | int) -> Merged | None:
    if isinstance(node, Branch):
        return node.entries.get(str(part))
    if isinstance(node, Listing) and isinstance(part, int) and part < len(node.items):
        return node.items[part]
    return None
