"""The first steps, from a tree to its files, each understood for itself: `discover`, `parse`, `validate`."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from envtree.codes import ABOUT_TYPES
from envtree.creation_rule import RulesDocument
from envtree.diagnostic import Diagnostic, Diagnostics
from envtree.discover import discover
from envtree.node import Document
from envtree.node import Mapping as MappingNode
from envtree.parse import parse
from envtree.resource import Resource, Resources
from envtree.rules_files import rules_files
from envtree.schemas import Schemas
from envtree.source import Kind, Location, Source, Sources
from envtree.span import START
from envtree.tree import Tree
from envtree.validate import validate


class Known(NamedTuple):
    """A file that has been read, and what was found in it."""

    resource: Resource
    findings: tuple[Diagnostic, ...]


# What is known of files, by path, place and content.
Memory = dict[tuple[str, Location, str], Known]


def read(
    tree: Tree,
    elsewhere: tuple[Location, ...],
    memory: Memory,
    diags: Diagnostics,
    progress: Callable[[str, int, int], None],
) -> Resources | None:
    """The files of a tree, None when it has no usable organization; of what is `elsewhere` only that is known."""
    sources = discover(tree, diags)
    if not any(source.location.kind is Kind.ORGANIZATION for source in sources):
        return None
    schemas = Schemas()
    found: list[Resource] = []
    for source in sources:
        key = (source.path, source.location, source.digest)
        if key not in memory:
            findings = Diagnostics()
            memory[key] = Known(_read_one(source, schemas, findings), tuple(findings))
        resource, told = memory[key]
        diags.extend(told)
        found.append(resource)
        progress("files", len(found), len(sources))
    return Resources(tuple(found), tuple(_read_rules(tree, sources, diags)), elsewhere)


def _read_rules(tree: Tree, sources: Sources, diags: Diagnostics) -> Iterator[RulesDocument]:
    """The files that tell sops for whom to encrypt the secrets of the tree."""
    secrets = [source.path for source in sources if source.location.kind is Kind.SECRETS]
    for source, inside in rules_files(tree, secrets, diags):
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
