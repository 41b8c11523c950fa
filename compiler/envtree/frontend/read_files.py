"""Parse and validate the files of a tree, one by one, with a cache of those that have not changed."""

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import NamedTuple

from envtree.diagnostics.codes import CODES, Topic
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
    """Return the schemas of the package, compiled once for all projects."""
    return Schemas()


class ValidatedFile(NamedTuple):
    """A parsed and validated file with its findings."""

    resource: Resource
    findings: tuple[Diagnostic, ...]


# Path, location and digest of the content.
_CacheKey = tuple[str, Location, str]
DocumentCache = dict[_CacheKey, ValidatedFile]


class _ParsedFile(NamedTuple):
    """A parsed file with its findings so far; the document is None if the file cannot be read."""

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
            # An empty document takes its place, so that references to the file still resolve.
            empty = Document(
                source.path, source.location, source.digest, MappingNode({}, {}, {}, FILE_START), aliases={}
            )
            return ValidatedFile(Resource(source.location, empty), tuple(findings))
        return ValidatedFile(validate(document, _shared_schemas(), findings), tuple(findings))


class SourceReader:
    """Reads the files of a tree, except those that are in the document cache."""

    def __init__(self, tree: Tree, document_cache: DocumentCache) -> None:
        self._tree, self._document_cache = tree, document_cache

    def read(
        self, sources: Iterable[Source], on_progress: Callable[[int], None], diags: Diagnostics
    ) -> tuple[Resource, ...]:
        """Parse and validate files; `on_progress` receives the number of files read so far."""
        resources: list[Resource] = []
        for key, parsed in in_batches(map(self._parse_unless_cached, sources)):
            if parsed:
                self._document_cache[key] = parsed.to_validated()
            resource, findings = self._document_cache[key]
            diags.extend(findings)
            resources.append(resource)
            on_progress(len(resources))
        return tuple(resources)

    def _parse_unless_cached(self, source: Source) -> "tuple[_CacheKey, _ParsedFile | None]":
        """Return the cache key of a file, and the parsed file unless it is cached."""
        key = (source.path, source.location, source.digest)
        return key, None if key in self._document_cache else _ParsedFile.from_source(source)

    def read_sops_rules(self, resources: tuple[Resource, ...], diags: Diagnostics) -> tuple[SopsConfigDocument, ...]:
        """Read the `.sops.yaml` files that apply to the secrets files among the resources."""
        paths = [resource.document.path for resource in resources if resource.location.kind is Kind.SECRETS]
        return tuple(self._iter_sops_rules(paths, diags))

    def _iter_sops_rules(self, paths: list[str], diags: Diagnostics) -> Iterator[SopsConfigDocument]:
        for source, root_prefix in read_sops_configs(self._tree, paths, diags):
            findings = Diagnostics()
            document = parse(source, findings)
            # Only sops reads this file, so findings about the types of its scalars would be noise.
            diags.extend(finding for finding in findings if CODES[finding.code].topic is not Topic.SCALARS)
            if document:
                yield SopsConfigDocument(document, root_prefix)
