"""The first steps, from a tree to its files, each understood for itself: `discover`, `parse`, `validate`."""

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import NamedTuple

from envtree.diagnostics.codes import ABOUT_TYPES
from envtree.frontend.parse import parse
from envtree.frontend.schemas import Schemas
from envtree.frontend.validate import validate
from envtree.model.batching import in_batches
from envtree.model.diagnostic import Diagnostic, Diagnostics
from envtree.model.nodes import Document
from envtree.model.nodes import Mapping as MappingNode
from envtree.model.resource import Resource
from envtree.model.sops_rule import RulesDocument
from envtree.model.source import Kind, Location, Source
from envtree.model.span import START
from envtree.sources.sops_config import rules_files
from envtree.sources.tree import Tree


@cache
def _schemas() -> Schemas:
    """Those of the package, compiled once for all projects."""
    return Schemas()


class Known(NamedTuple):
    """A file that has been read, and what was found in it."""

    resource: Resource
    findings: tuple[Diagnostic, ...]


# What is known of files, by path, place and content.
_Key = tuple[str, Location, str]
Memory = dict[_Key, Known]


class _Parsed(NamedTuple):
    """A file that has been parsed, and what was found so far; without a document it cannot be read."""

    source: Source
    document: Document | None
    findings: Diagnostics

    @classmethod
    def of(cls, source: Source) -> "_Parsed":
        """Parse a file."""
        findings = Diagnostics()
        return cls(source, parse(source, findings), findings)

    def known(self) -> Known:
        """Validate the file."""
        source, document, findings = self
        if document is None:
            # It stands as an empty one, so that what it is still has a name.
            empty = Document(source.path, source.location, source.digest, MappingNode({}, {}, {}, START), aliases={})
            return Known(Resource(source.location, empty), tuple(findings))
        return Known(validate(document, _schemas(), findings), tuple(findings))


class Reader:
    """Reads the files of a tree, of which some may be in its `memory`."""

    def __init__(self, tree: Tree, memory: Memory) -> None:
        self._tree, self._memory = tree, memory

    def read(self, sources: Iterable[Source], done: Callable[[int], None], diags: Diagnostics) -> tuple[Resource, ...]:
        """What is in some files; `done` hears how many there were so far."""
        found: list[Resource] = []
        for key, fresh in in_batches(map(self._parsed, sources)):
            if fresh:
                self._memory[key] = fresh.known()
            resource, told = self._memory[key]
            diags.extend(told)
            found.append(resource)
            done(len(found))
        return tuple(found)

    def _parsed(self, source: Source) -> "tuple[_Key, _Parsed | None]":
        """What tells a file from others, and what is in it if that is not known."""
        key = (source.path, source.location, source.digest)
        return key, None if key in self._memory else _Parsed.of(source)

    def rules(self, resources: tuple[Resource, ...], diags: Diagnostics) -> tuple[RulesDocument, ...]:
        """The files that tell sops for whom to encrypt the secrets among some files."""
        secrets = [one.document.path for one in resources if one.location.kind is Kind.SECRETS]
        return tuple(self._rules(secrets, diags))

    def _rules(self, secrets: list[str], diags: Diagnostics) -> Iterator[RulesDocument]:
        for source, inside in rules_files(self._tree, secrets, diags):
            findings = Diagnostics()
            document = parse(source, findings)
            # How it types its scalars is a matter between sops and whoever wrote it.
            diags.extend(finding for finding in findings if finding.code not in ABOUT_TYPES)
            if document:
                yield RulesDocument(document, inside)
