"""Find the place where a value of a bundle is written."""

from collections.abc import Sequence

from envtree.model.merged import MergedMapping, MergedSequence, MergedValue, merged_span
from envtree.model.resolved import Resolved
from envtree.model.span import Span, file_span


def origin_span(resolved: Resolved, path: Sequence[str | int]) -> Span:
    """Return the place of the deepest written value on a path into the bundle; else the agent's file."""
    if len(path) > 1 and path[0] == "env_vars" and path[1] in resolved.injected:
        return merged_span(resolved.injected[str(path[1])].selected_by)
    if path and path[0] == "model_id" and resolved.merged.model:
        scalar, layer = resolved.merged.model
        return Span(layer.path, *scalar.mark)
    node = resolved.merged.sections.get(str(path[0])) if path else None
    if node is None:
        return file_span(resolved.merged.stack.agent_layer.path)
    for part in path[1:]:
        child = _child(node, part)
        if child is None:
            break
        node = child
    return merged_span(node)


def _child(node: MergedValue, part: str | int) -> MergedValue | None:
    if isinstance(node, MergedMapping):
        return node.entries.get(str(part))
    if isinstance(node, MergedSequence) and isinstance(part, int) and part < len(node.items):
        return node.items[part]
    return None
