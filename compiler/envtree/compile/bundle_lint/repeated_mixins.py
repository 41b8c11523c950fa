"""Report values of a mix-in that are shadowed because two entities of a bundle use it, and it comes only once."""

from collections.abc import Iterator

from envtree.model.diagnostic import Diagnostic, Diagnostics, RelatedSpan
from envtree.model.keypath import KeyPath, format_path
from envtree.model.layers import Layer, RepeatedMixin
from envtree.model.merged import MergedMapping, MergedStack, MergedValue, merged_span
from envtree.model.nodes import MappingNode, Node
from envtree.model.resolved import Resolved
from envtree.model.span import Span


def check_repeated_mixins(resolved: Resolved, diags: Diagnostics) -> None:
    """Report the values that the second use of a mix-in would have made effective."""
    merged = resolved.merged
    for repeated in merged.stack.repeated_mixins:
        seen: set[tuple[str, ...]] = set()
        # Of several layers of the mix-in that set a value, the highest one counts.
        for layer, passed in reversed(repeated.layers):
            names = {(other.kind, other.scope) for other in passed}
            for key, span, winner in _values_of(layer, merged):
                if key not in seen and winner and (winner.layer.kind, winner.layer.scope) in names:
                    diags.add(_finding(repeated, format_path(key), span, winner, merged.stack.target.id))
                seen.add(key)


def _values_of(layer: Layer, merged: MergedStack) -> Iterator[tuple[KeyPath, Span, MergedValue | None]]:
    """Yield the key of each value of a layer, its position, and the merged value."""
    for path, span in _written_values(layer.section, layer.path):
        yield path, span, _value_at(merged.sections, path)
    if layer.secrets:
        for path, span in _written_values(layer.secrets.content, layer.secrets.path):
            yield ("secrets", *path), span, _value_at(merged.secrets, path)


def _written_values(node: Node | None, file: str, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Span]]:
    """Yield the paths of scalars and lists, those inside directives included, each with its position."""
    if isinstance(node, MappingNode):
        for key, child in node.entries.items():
            is_directive = key.startswith("$") and not key.startswith("$$")
            name = key[1:] if key.startswith("$$") else key
            if not is_directive:
                yield from _written_values(child, file, (*path, name))
            elif key in ("$value", "$replace"):
                yield from _written_values(child, file, path)
    elif node is not None and path:
        yield path, Span(file, *node.mark)


def _value_at(values: dict[str, MergedValue], path: KeyPath) -> MergedValue | None:
    value = values.get(path[0])
    for step in path[1:]:
        value = value.entries.get(step) if isinstance(value, MergedMapping) else None
    return value


def _finding(repeated: RepeatedMixin, key: str, span: Span, winner: MergedValue, bundle: str) -> Diagnostic:
    message = f"'{key}' of mix-in '{repeated.name}' is shadowed, because the mix-in comes once, at its first use"
    hint = f"take '{repeated.name}' out of the first 'uses', or set the value where it is used again"
    related = (
        RelatedSpan(merged_span(winner), "the value that counts"),
        RelatedSpan(repeated.first_use, "used first here"),
    )
    return Diagnostic(span, "ET361", message, hint, related, key, bundle)
