"""One file as a fix sees it: its text, what it means, and what is wrong with it by itself."""

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

# What may stand before a scalar inside its place: an anchor, a tag, and comments between them.
_NODE_PROPERTIES = re.compile(r"(?:(?:[&!]\S*|#[^\n]*)\s+)*")


class FindingIdentity(NamedTuple):
    """What a finding is known by wherever its token moves."""

    code: str
    path: str
    key: str
    message: str


class Replacement(NamedTuple):
    """The characters of a text from `start` up to `end`, and what to write for them."""

    start: int
    end: int
    text: str


class ParsedFile(NamedTuple):
    """A file that could be read, with the findings that it causes alone."""

    source: Source
    text: str
    document: Document
    findings: tuple[Diagnostic, ...]

    def finding_counts(self) -> Counter[FindingIdentity]:
        """How often each finding occurs."""
        return count_by_identity(self.findings)

    def token_at(self, span: Span) -> Replacement:
        """The scalar at a place, without its anchor and tag, as a replacement by itself."""
        lines = self.text.split("\n")
        start, end = (
            sum(len(above) + 1 for above in lines[: line - 1]) + column - 1
            for line, column in ((span.line, span.column), (span.end_line, span.end_column))
        )
        head = _NODE_PROPERTIES.match(self.text, start, end)
        start = head.end() if head else start
        return Replacement(start, end, self.text[start:end])

    def with_replacements(self, replacements: Iterable[Replacement]) -> Source:
        """The file with some of its characters replaced, and all others as they are."""
        parts, at = [], 0
        for one in sorted(replacements):
            parts += [self.text[at : one.start], one.text]
            at = one.end
        data = "".join((*parts, self.text[at:])).encode()
        return self.source._replace(data=data, digest=sha256(data).hexdigest())

    def maps(self) -> Iterator[tuple[KeyPath, MappingNode]]:
        """Every map with its path; what aliases repeat comes once for each place."""
        return ((path, node) for path, node in walk(self.document.root) if isinstance(node, MappingNode))

    def nodes_at(self, mark: Mark) -> list[tuple[KeyPath, Node]]:
        """The values that are written at a place; more than one if aliases repeat it."""
        aliases = self.document.aliases
        return [(path, node) for path, node in walk(self.document.root) if mark in (node.mark, aliases.get(node.mark))]


def parse_file(source: Source, schemas: Schemas) -> ParsedFile | None:
    """Read one file; None when nothing in it can be used."""
    diags = Diagnostics()
    document = parse(source, diags)
    if document is None:
        return None
    validate(document, schemas, diags)
    return ParsedFile(source, source.data.decode(), document, tuple(diags))


def finding_identity(diagnostic: Diagnostic) -> FindingIdentity:
    """What one finding is known by."""
    return FindingIdentity(diagnostic.code, diagnostic.span.path, diagnostic.key, diagnostic.message)


def count_by_identity(diagnostics: Iterable[Diagnostic]) -> Counter[FindingIdentity]:
    """How often each finding occurs."""
    return Counter(map(finding_identity, diagnostics))
