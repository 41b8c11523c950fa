"""What a file declares beside values, and the bundles that make use of it."""

from collections.abc import Container, Iterator
from typing import NamedTuple

from envtree.compile.layer import targets
from envtree.compile.resolve.expression import Compiler
from envtree.engine.run import Result
from envtree.model.entities import Roster
from envtree.model.fields import field
from envtree.model.keypath import format_path
from envtree.model.merged import Branch, Leaf, Listing, Merged
from envtree.model.nodes import Document
from envtree.model.span import Span
from envtree.model.workspace import Contract, Project, Team, Workspace

# What an expression reads of files, beside values; `inputs` are the organization's.
_ROOTS = frozenset({"organization", "project", "environment", "team", "agent", "inputs"})


class Use(NamedTuple):
    """Something that a file says: it counts in the bundles of `wins`, and `lost` has what stands over it elsewhere.

    Bundles are told by their numbers, in the order of the run.
    """

    key: str
    span: Span
    wins: list[int]
    lost: dict[Span, list[int]]


class Declared(NamedTuple):
    """A contract, and how many bundles there are in its part of the tree."""

    contract: Contract
    use: Use
    bundles: list[int]


def contracts(workspace: Workspace) -> list[Declared]:
    """Every contract, with the bundles that it holds for; the later declaration of a name wins whole."""
    found: dict[Span, Declared] = {}
    chains = {
        (project.name, team.name): _chains(workspace, project, team, found)
        for project in workspace.projects
        for team in project.teams
    }
    for number, target in enumerate(targets(workspace)):
        for *shadowed, last in chains[target.project, target.team]:
            environments = last.contract.rules.get("environments")
            if environments is None or target.environment in environments:
                last.use.wins.append(number)
            for one in shadowed:
                one.use.lost.setdefault(last.use.span, []).append(number)
            for one in (*shadowed, last):
                one.bundles.append(number)
    return list(found.values())


def _chains(
    workspace: Workspace, project: Project, team: Team, found: dict[Span, Declared]
) -> list[tuple[Declared, ...]]:
    """The declarations of each name, the one that wins last."""
    chains: dict[str, tuple[Declared, ...]] = {}
    for declared in (workspace.organization.contracts, project.contracts, team.contracts):
        for name, contract in declared.items():
            use = Use(format_path(("variables", name)), contract.span, [], {})
            one = found.setdefault(contract.span, Declared(contract, use, []))
            chains[name] = (*chains.get(name, ()), one)
    return list(chains.values())


class Facts:
    """The fields of files, and the inputs, that expressions read; only those of `files` are looked at."""

    def __init__(self, workspace: Workspace, files: Container[str]) -> None:
        self._roster = Roster(workspace)
        self._files = files
        self._compiler = Compiler()
        self._uses: dict[tuple[str, str], Use] = {}
        self._count = 0

    def add(self, result: Result) -> None:
        """Take in one more bundle."""
        documents = self._roster.of(result.bundle.target).documents
        for root, name in {read for text in _expressions(result) for read in self._reads(text)}:
            document = documents.get("organization" if root == "inputs" else root)
            if document and document.path in self._files:
                self._note(document, ("inputs", name) if root == "inputs" else (name,))
        self._count += 1

    def of(self, path: str) -> list[Use]:
        """The fields of a file that are read."""
        return [use for (file, _), use in self._uses.items() if file == path]

    def _note(self, document: Document, path: tuple[str, ...]) -> None:
        key = format_path(path)
        use = self._uses.get((document.path, key))
        if use is None:
            node = field(document, *path)
            if node is None:
                return
            use = self._uses[document.path, key] = Use(key, document.span(node), [], {})
        use.wins.append(self._count)

    def _reads(self, text: str) -> Iterator[tuple[str, str]]:
        for read in self._compiler.compile(text).reads:
            if read.path[0] in _ROOTS and len(read.path) > 1:
                yield str(read.path[0]), str(read.path[1])


def _expressions(result: Result) -> Iterator[str]:
    """The texts with expressions that a bundle is computed from."""
    injected = result.resolved.injected
    for name, value in result.resolved.merged.sections.items():
        if name == "env_vars" and isinstance(value, Branch):
            yield from (
                str(leaf.node.value) for key, leaf in value.entries.items() if leaf.dynamic and key not in injected
            )
        elif name != "secrets":
            yield from _texts(value)


def _texts(value: Merged) -> Iterator[str]:
    if not value.dynamic:
        return
    if isinstance(value, Leaf):
        yield str(value.node.value)
    else:
        for part in value.items if isinstance(value, Listing) else value.entries.values():
            yield from _texts(part)
