"""Drop findings that repeat a parse error, and merge findings that reach the same value through aliases."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from envtree.model.diagnostic import Diagnostic, RelatedSpan
from envtree.model.keypath import KeyPath, parse_path
from envtree.model.nodes import Document, MappingNode, Node, SequenceNode
from envtree.model.span import Mark, Span

# One anchor may be repeated thousands of times; a few positions are enough to explain the finding.
_MAX_RELATED = 8


def deduplicate_findings(findings: Iterable[Diagnostic], documents: Iterable[Document]) -> list[Diagnostic]:
    """Return the findings without duplicates, each with both ends of the aliases on the path to its value.

    Findings at positions at which parsing reported an error are dropped. Findings with the same code at the same value,
    reached directly and through aliases, become one.
    """
    aliases_by_path = {
        document.path: _DocumentAliases(document, tuple(document.aliases))
        for document in documents
        if document.aliases or document.invalid_marks
    }
    result: list[Diagnostic] = []
    first_index: dict[tuple[Span, str, KeyPath], int] = {}
    for finding in findings:
        aliases = aliases_by_path.get(finding.span.path)
        if aliases is None:
            result.append(finding)
        elif finding.span[1:] not in aliases.document.invalid_marks:
            path = _parse_key(finding.key)
            ends = list(aliases.related_ends(path, finding.span))
            index = first_index.setdefault((finding.span, finding.code, path[-1:]), len(result))
            if ends and index < len(result):
                # The same value, reached by another path.
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
    """The aliases of a document, sorted by position."""

    document: Document
    aliases: tuple[Mark, ...]

    def related_ends(self, path: KeyPath, span: Span) -> Iterator[RelatedSpan]:
        """Yield the other ends of the aliases that lead to a value, given its path and span."""
        for alias in self._aliases_on_path(path):
            if alias != span[1:]:
                yield RelatedSpan(Span(self.document.path, *alias), "the alias that repeats it")
        origin = self.document.aliases.get(span[1:])
        if origin:
            yield RelatedSpan(Span(self.document.path, *origin), "the value that the alias repeats")

    def _aliases_on_path(self, path: KeyPath) -> Iterator[Mark]:
        """Yield the positions of the aliases between the root and a value, including those merged with `<<`."""
        origins = self.document.aliases
        container: Node = self.document.root
        for step in path:
            for node in _follow_step(container, step):
                extent = origins.get(container.mark, container.mark)
                if node.mark in origins:
                    yield node.mark
                elif not _is_inside(node.mark, extent):
                    yield from (
                        alias for alias in self._aliases_inside(extent) if _is_inside(node.mark, origins[alias])
                    )
                container = node

    def _aliases_inside(self, extent: Mark) -> tuple[Mark, ...]:
        start = bisect_left(self.aliases, extent)
        return self.aliases[start : bisect_left(self.aliases, (*extent[2:], 0, 0))]


def _follow_step(container: Node, step: str) -> list[Node]:
    """Return the nodes from a value down to its child; a directive in between is not a step of the path."""
    if isinstance(container, SequenceNode):
        is_index = step.isdecimal() and int(step) < len(container.items)
        return [container.items[int(step)]] if is_index else []
    if not isinstance(container, MappingNode):
        return []
    if step in container.entries:
        return [container.entries[step]]
    directives = (node for key, node in container.entries.items() if key.startswith("$"))
    return next(([node, *descendants] for node in directives if (descendants := _follow_step(node, step))), [])


def _is_inside(inner: Mark, outer: Mark) -> bool:
    return outer[:2] <= inner[:2] and inner[2:] <= outer[2:]
