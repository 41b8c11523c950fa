"""The first steps, from a tree to its files, each understood for itself: `discover`, `parse`, `validate`."""

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import NamedTuple

from envtree.codes import ABOUT_TYPES
from envtree.creation_rule import RulesDocument
from envtree.diagnostic import Diagnostic, Diagnostics
from envtree.node import Document
from envtree.node import Mapping as MappingNode
from envtree.parse import parse
from envtree.resource import Resource
from envtree.rules_files import rules_files
from envtree.schemas import Schemas
from envtree.source import Kind, Location, Source
from envtree.span import START
from envtree.tree import Tree
from envtree.validate import validate


@cache
def _schemas() -> Schemas:
    """Those of the package, compiled once for all projects."""
    return Schemas()


class Known(NamedTuple):
    """A file that has been read, and what was found in it."""

    resource: Resource
    findings: tuple[Diagnostic, ...]


# What is known of files, by path, place and content.
Memory = dict[tuple[str, Location, str], Known]


class Reader:
    """Reads the files of a tree, of which some may be in its `memory`."""

    def __init__(self, tree: Tree, memory: Memory) -> None:
        self._tree, self._memory = tree, memory

    def read(self, sources: Iterable[Source], done: Callable[[int], None], diags: Diagnostics) -> tuple[Resource, ...]:
        """What is in some files; `done` hears how many there were so far."""
        found: list[Resource] = []
        for source in sources:
            key = (source.path, source.location, source.digest)
            if key not in self._memory:
                findings = Diagnostics()
                self._memory[key] = Known(_read_one(source, _schemas(), findings), tuple(findings))
            resource, told = self._memory[key]
            diags.extend(told)
            found.append(resource)
            done(len(found))
        return tuple(found)

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


def _read_one(source: Source, schemas: Schemas, diags: Diagnostics) -> Resource:
    document = parse(source, diags)
    if document is None:
        # A file that cannot be read stands as an empty one, so that what it is still has a name.
        empty = Document(source.path, source.location, source.digest, MappingNode({}, {}, {}, START), aliases={})
        return Resource(source.location, empty)
    return validate(document, schemas, diags)
