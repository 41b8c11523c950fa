"""One mistake, one finding: what reading has told is not told again, and what an alias repeats is told once."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from envtree.model.diagnostic import Diagnostic, RelatedSpan
from envtree.model.keypath import KeyPath, parse_path
from envtree.model.nodes import Document, MappingNode, Node, SequenceNode
from envtree.model.span import Mark, Span

# One anchor may be repeated thousands of times, and a few places show what is meant.
_MAX_RELATED = 8


def deduplicate_findings(findings: Iterable[Diagnostic], documents: Iterable[Document]) -> list[Diagnostic]:
    """The findings about documents that are mistakes of their own, with both ends of the aliases on their way."""
    special = {
        one.path: _DocumentAliases(one, tuple(one.aliases)) for one in documents if one.aliases or one.invalid_marks
    }
    result: list[Diagnostic] = []
    first: dict[tuple[Span, str, KeyPath], int] = {}
    for finding in findings:
        places = special.get(finding.span.path)
        if places is None:
            result.append(finding)
        elif finding.span[1:] not in places.document.invalid_marks:
            path = _parse_key(finding.key)
            ends = list(places.related_ends(path, finding.span))
            index = first.setdefault((finding.span, finding.code, path[-1:]), len(result))
            if ends and index < len(result):
                # The same value, by another way.
                result[index] = _add_related(result[index], ends)
            else:
                result.append(_add_related(finding, ends))
    return result


def _add_related(finding: Diagnostic, ends: Iterable[RelatedSpan]) -> Diagnostic:
    if len(finding.related) >= _MAX_RELATED:
        return finding
    return finding._replace(related=tuple(dict.fromkeys((*finding.related, *ends)))[:_MAX_RELATED])


def _parse_key(key: str) -> KeyPath:
    try:
        return parse_path(key)
    except ValueError:
        return ()


class _DocumentAliases(NamedTuple):
    """The aliases of a document, in the order of their places."""

    document: Document
    aliases: tuple[Mark, ...]

    def related_ends(self, path: KeyPath, span: Span) -> Iterator[RelatedSpan]:
        """The other ends of the aliases that lead to a place."""
        for alias in self._aliases_on_path(path):
            if alias != span[1:]:
                yield RelatedSpan(Span(self.document.path, *alias), "the alias that repeats it")
        origin = self.document.aliases.get(span[1:])
        if origin:
            yield RelatedSpan(Span(self.document.path, *origin), "the value that the alias repeats")

    def _aliases_on_path(self, path: KeyPath) -> Iterator[Mark]:
        """The places of the aliases between the root and a value, those behind `<<` included."""
        origins = self.document.aliases
        holder: Node = self.document.root
        for step in path:
            for node in _follow_step(holder, step):
                extent = origins.get(holder.mark, holder.mark)
                if node.mark in origins:
                    yield node.mark
                elif not _is_inside(node.mark, extent):
                    yield from (
                        alias for alias in self._aliases_inside(extent) if _is_inside(node.mark, origins[alias])
                    )
                holder = node

    def _aliases_inside(self, extent: Mark) -> tuple[Mark, ...]:
        start = bisect_left(self.aliases, extent)
        return self.aliases[start : bisect_left(self.aliases, (*extent[2:], 0, 0))]


def _follow_step(holder: Node, step: str) -> list[Node]:
    """The nodes from a value to what a step leads to; directives are no step of their own."""
    if isinstance(holder, SequenceNode):
        inside = step.isdecimal() and int(step) < len(holder.items)
        return [holder.items[int(step)]] if inside else []
    if not isinstance(holder, MappingNode):
        return []
    if step in holder.entries:
        return [holder.entries[step]]
    carried = (node for key, node in holder.entries.items() if key.startswith("$"))
    return next(([node, *below] for node in carried if (below := _follow_step(node, step))), [])


def _is_inside(inner: Mark, outer: Mark) -> bool:
    return outer[:2] <= inner[:2] and inner[2:] <= outer[2:]
