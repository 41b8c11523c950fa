"""One parsed file: its text, its document, and the findings that it causes alone."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import NamedTuple

from envtree.frontend.parse import parse
from envtree.frontend.schemas import Schemas
from envtree.frontend.validate import validate
from envtree.frontend.validate.execution_environment import walk
from envtree.model.diagnostic import Diagnostic, Diagnostics
from envtree.model.keypath import KeyPath
from envtree.model.nodes import Document, MappingNode, Node
from envtree.model.source import Source
from envtree.model.span import Mark, Span

# The part of a scalar's span before the scalar itself: an anchor, a tag, and comments between them.
_NODE_PROPERTIES = re.compile(r"(?:(?:[&!]\S*|#[^\n]*)\s+)*")


class FindingIdentity(NamedTuple):
    """The parts of a finding that do not change if its token moves."""

    code: str
    path: str
    key: str
    message: str


class Replacement(NamedTuple):
    """The characters of a text from `start` up to `end`, and the text that replaces them."""

    start: int
    end: int
    text: str


class ParsedFile(NamedTuple):
    """A file that could be parsed, with the findings that it causes alone."""

    source: Source
    text: str
    document: Document
    findings: tuple[Diagnostic, ...]

    def finding_counts(self) -> Counter[FindingIdentity]:
        """Count how often each finding occurs."""
        return count_by_identity(self.findings)

    def token_at(self, span: Span) -> Replacement:
        """Return the scalar at a place, without its anchor and tag, as a replacement by itself."""
        lines = self.text.split("\n")
        start, end = (
            sum(len(above) + 1 for above in lines[: line - 1]) + column - 1
            for line, column in ((span.line, span.column), (span.end_line, span.end_column))
        )
        head = _NODE_PROPERTIES.match(self.text, start, end)
        start = head.end() if head else start
        return Replacement(start, end, self.text[start:end])

    def with_replacements(self, replacements: Iterable[Replacement]) -> Source:
        """Return the file with the replacements made, and all other characters unchanged."""
        parts, end = [], 0
        for replacement in sorted(replacements):
            parts += [self.text[end : replacement.start], replacement.text]
            end = replacement.end
        data = "".join((*parts, self.text[end:])).encode()
        return self.source._replace(data=data, digest=sha256(data).hexdigest())

    def maps(self) -> Iterator[tuple[KeyPath, MappingNode]]:
        """Yield every map with its path; a map that aliases repeat is included once for each path."""
        return ((path, node) for path, node in walk(self.document.root) if isinstance(node, MappingNode))

    def nodes_at(self, mark: Mark) -> list[tuple[KeyPath, Node]]:
        """Return the values that are written at a place; more than one if aliases repeat it."""
        aliases = self.document.aliases
        return [(path, node) for path, node in walk(self.document.root) if mark in (node.mark, aliases.get(node.mark))]


def parse_file(source: Source, schemas: Schemas) -> ParsedFile | None:
    """Parse and validate one file; return None if it cannot be parsed."""
    diags = Diagnostics()
    document = parse(source, diags)
    if document is None:
        return None
    validate(document, schemas, diags)
    return ParsedFile(source, source.data.decode(), document, tuple(diags))


def finding_identity(diagnostic: Diagnostic) -> FindingIdentity:
    """Return the identity of one finding."""
    return FindingIdentity(diagnostic.code, diagnostic.span.path, diagnostic.key, diagnostic.message)


def count_by_identity(diagnostics: Iterable[Diagnostic]) -> Counter[FindingIdentity]:
    """Count how often each finding occurs."""
    return Counter(map(finding_identity, diagnostics))
