"""The first steps, from a tree to its files, each understood for itself: `discover`, `parse`, `validate`."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from envtree.codes import ABOUT_TYPES
from envtree.creation_rule import RulesDocument
from envtree.diagnostic import Diagnostic, Diagnostics
from envtree.discover import discover
from envtree.forked import Tell, divided
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


# How many files are worth a process.
_WORTH = 600
# What it costs to read a file and to send it, and to take it, where reading it costs 1.
_SENDING, _TAKING = 1.4, 0.25

# What is known of files, by path, place and content.
Memory = dict[tuple[str, Location, str], Known]


def read(
    tree: Tree,
    elsewhere: tuple[Location, ...],
    memory: Memory,
    diags: Diagnostics,
    progress: Callable[[str, int, int], None],
    *,
    jobs: int = 1,
) -> Resources | None:
    """The files of a tree, None when it has no usable organization; of what is `elsewhere` only that is known."""
    sources = discover(tree, diags)
    if not any(source.location.kind is Kind.ORGANIZATION for source in sources):
        return None
    schemas = Schemas()
    _read_together([source for source in sources if _key(source) not in memory], memory, schemas, jobs)
    found: list[Resource] = []
    for source in sources:
        key = _key(source)
        if key not in memory:
            memory[key] = _known(source, schemas)
        resource, told = memory[key]
        diags.extend(told)
        found.append(resource)
        progress("files", len(found), len(sources))
    return Resources(tuple(found), tuple(_read_rules(tree, sources, diags)), elsewhere)


def _read_together(sources: Sequence[Source], memory: Memory, schemas: Schemas, jobs: int) -> None:
    """Read files in several processes, if there are so many that it gains anything.

    The others have to send what they read, and we have to take it, so that our share is another one.
    """
    others = min(jobs, len(sources) // _WORTH) - 1
    if others < 1:
        return
    ours = round(len(sources) * (_SENDING / others - _TAKING) / (_SENDING / others - _TAKING + 1))
    theirs = sources[ours:]
    # Neighbours together: who computes their bundles later touches less of the memory that all share.
    parts = [theirs[n * len(theirs) // others : (n + 1) * len(theirs) // others] for n in range(others)]

    def read_ours() -> None:
        memory.update({_key(source): _known(source, schemas) for source in sources[:ours]})

    def read_theirs(number: int, _: Tell) -> list[Known]:
        return [_known(source, schemas) for source in parts[number]]

    for part, read in zip(parts, divided(others, read_theirs, lambda _: None, read_ours) or (), strict=False):
        memory.update(zip(map(_key, part), read, strict=True))


def _key(source: Source) -> tuple[str, Location, str]:
    return source.path, source.location, source.digest


def _known(source: Source, schemas: Schemas) -> Known:
    findings = Diagnostics()
    return Known(_read_one(source, schemas, findings), tuple(findings))


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
