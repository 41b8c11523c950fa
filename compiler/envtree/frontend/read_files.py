"""The first steps, from a tree to its files, each understood for itself: `discover`, `parse`, `validate`."""

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import NamedTuple

from envtree.diagnostics.codes import SCALAR_TYPE_CODES
from envtree.frontend.parse import parse
from envtree.frontend.schemas import Schemas
from envtree.frontend.validate import validate
from envtree.model.batching import in_batches
from envtree.model.diagnostic import Diagnostic, Diagnostics
from envtree.model.nodes import Document, MappingNode
from envtree.model.resource import Resource
from envtree.model.sops_rule import SopsConfigDocument
from envtree.model.source import Kind, Location, Source
from envtree.model.span import FILE_START
from envtree.sources.sops_config import read_sops_configs
from envtree.sources.tree import Tree


@cache
def _shared_schemas() -> Schemas:
    """Those of the package, compiled once for all projects."""
    return Schemas()


class ValidatedFile(NamedTuple):
    """A file that has been read, and what was found in it."""

    resource: Resource
    findings: tuple[Diagnostic, ...]


# What is known of files, by path, place and content.
_CacheKey = tuple[str, Location, str]
DocumentCache = dict[_CacheKey, ValidatedFile]


class _ParsedFile(NamedTuple):
    """A file that has been parsed, and what was found so far; without a document it cannot be read."""

    source: Source
    document: Document | None
    findings: Diagnostics

    @classmethod
    def from_source(cls, source: Source) -> "_ParsedFile":
        """Parse a file."""
        findings = Diagnostics()
        return cls(source, parse(source, findings), findings)

    def to_validated(self) -> ValidatedFile:
        """Validate the file."""
        source, document, findings = self
        if document is None:
            # It stands as an empty one, so that what it is still has a name.
            empty = Document(
                source.path, source.location, source.digest, MappingNode({}, {}, {}, FILE_START), aliases={}
            )
            return ValidatedFile(Resource(source.location, empty), tuple(findings))
        return ValidatedFile(validate(document, _shared_schemas(), findings), tuple(findings))


class SourceReader:
    """Reads the files of a tree, of which some may be in its `memory`."""

    def __init__(self, tree: Tree, document_cache: DocumentCache) -> None:
        self._tree, self._document_cache = tree, document_cache

    def read(
        self, sources: Iterable[Source], on_progress: Callable[[int], None], diags: Diagnostics
    ) -> tuple[Resource, ...]:
        """What is in some files; `done` hears how many there were so far."""
        found: list[Resource] = []
        for key, fresh in in_batches(map(self._parse_unless_cached, sources)):
            if fresh:
                self._document_cache[key] = fresh.to_validated()
            resource, told = self._document_cache[key]
            diags.extend(told)
            found.append(resource)
            on_progress(len(found))
        return tuple(found)

    def _parse_unless_cached(self, source: Source) -> "tuple[_CacheKey, _ParsedFile | None]":
        """What tells a file from others, and what is in it if that is not known."""
        key = (source.path, source.location, source.digest)
        return key, None if key in self._document_cache else _ParsedFile.from_source(source)

    def read_sops_rules(self, resources: tuple[Resource, ...], diags: Diagnostics) -> tuple[SopsConfigDocument, ...]:
        """The files that tell sops for whom to encrypt the secrets among some files."""
        secrets = [one.document.path for one in resources if one.location.kind is Kind.SECRETS]
        return tuple(self._iter_sops_rules(secrets, diags))

    def _iter_sops_rules(self, secrets: list[str], diags: Diagnostics) -> Iterator[SopsConfigDocument]:
        for source, inside in read_sops_configs(self._tree, secrets, diags):
            findings = Diagnostics()
            document = parse(source, findings)
            # How it types its scalars is a matter between sops and whoever wrote it.
            diags.extend(finding for finding in findings if finding.code not in SCALAR_TYPE_CODES)
            if document:
                yield SopsConfigDocument(document, inside)
