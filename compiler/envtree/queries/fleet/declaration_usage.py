"""Declarations other than values, and the bundles that use them."""

from collections.abc import Callable, Container, Iterator
from typing import NamedTuple

from envtree.compile.layer import workspace_targets
from envtree.compile.resolve.expression_compiler import ExpressionCompiler
from envtree.engine.request import BundleResult
from envtree.model.bundle_entities import EntityIndex
from envtree.model.fields import get_field
from envtree.model.keypath import format_path
from envtree.model.merged import MergedMapping, MergedScalar, MergedSequence, MergedValue
from envtree.model.nodes import Document
from envtree.model.span import Span
from envtree.model.workspace import Contract, Project, Team, Workspace

# The names by which an expression reads fields of files; `inputs` are the organization's.
_FACT_ROOTS = frozenset({"organization", "project", "environment", "team", "agent", "inputs"})


class Usage(NamedTuple):
    """A value or declaration of a file, and the bundles that use it, by their indexes in the order of the run.

    It is effective in the bundles of `effective_in`; `shadowed_by` has the others, by the location of the override.
    """

    key: str
    span: Span
    effective_in: list[int]
    shadowed_by: dict[Span, list[int]]


class ContractUsage(NamedTuple):
    """A contract, its usage, and the bundles in its part of the tree."""

    contract: Contract
    usage: Usage
    bundles: list[int]


def find_contract_usages(workspace: Workspace, is_selected: Callable[[str], bool]) -> list[ContractUsage]:
    """Return every contract with the selected bundles that it applies to.

    The last declaration of a name replaces the others.
    """
    usages: dict[Span, ContractUsage] = {}
    chains_by_team = {
        (project.name, team.name): _declaration_chains(workspace, project, team, usages)
        for project in workspace.projects
        for team in project.teams
    }
    targets = (target for target in workspace_targets(workspace) if is_selected(target.id))
    for bundle_index, target in enumerate(targets):
        for *shadowed, last in chains_by_team[target.project, target.team]:
            environments = last.contract.rules.get("environments")
            if environments is None or target.environment in environments:
                last.usage.effective_in.append(bundle_index)
            for overridden in shadowed:
                overridden.usage.shadowed_by.setdefault(last.usage.span, []).append(bundle_index)
            for declared in (*shadowed, last):
                declared.bundles.append(bundle_index)
    return list(usages.values())


def _declaration_chains(
    workspace: Workspace, project: Project, team: Team, usages: dict[Span, ContractUsage]
) -> list[tuple[ContractUsage, ...]]:
    """Return the declarations of each name, the effective one last."""
    chains: dict[str, tuple[ContractUsage, ...]] = {}
    for contracts in (workspace.organization.contracts, project.contracts, team.contracts):
        for name, contract in contracts.items():
            usage = Usage(format_path(("variables", name)), contract.span, [], {})
            contract_usage = usages.setdefault(contract.span, ContractUsage(contract, usage, []))
            chains[name] = (*chains.get(name, ()), contract_usage)
    return list(chains.values())


class FactUsageIndex:
    """Indexes the fields and inputs in `files` that expressions read."""

    def __init__(self, workspace: Workspace, files: Container[str]) -> None:
        self._entity_index = EntityIndex(workspace)
        self._files = files
        self._compiler = ExpressionCompiler()
        self._usages: dict[tuple[str, str], Usage] = {}
        self._bundle_count = 0

    def add(self, result: BundleResult) -> None:
        """Add a bundle."""
        documents = self._entity_index.entities_of(result.bundle.target).documents
        for root, name in {read for text in _list_expressions(result) for read in self._list_fact_reads(text)}:
            document = documents.get("organization" if root == "inputs" else root)
            if document and document.path in self._files:
                self._record(document, ("inputs", name) if root == "inputs" else (name,))
        self._bundle_count += 1

    def usages_of(self, path: str) -> list[Usage]:
        """Return the fields of a file that are read."""
        return [usage for (file, _), usage in self._usages.items() if file == path]

    def _record(self, document: Document, path: tuple[str, ...]) -> None:
        key = format_path(path)
        usage = self._usages.get((document.path, key))
        if usage is None:
            node = get_field(document, *path)
            if node is None:
                return
            usage = self._usages[document.path, key] = Usage(key, document.span(node), [], {})
        usage.effective_in.append(self._bundle_count)

    def _list_fact_reads(self, text: str) -> Iterator[tuple[str, str]]:
        for read in self._compiler.references(text):
            if read.path[0] in _FACT_ROOTS and len(read.path) > 1:
                yield str(read.path[0]), str(read.path[1])


def _list_expressions(result: BundleResult) -> Iterator[str]:
    """Yield the expressions that a bundle is computed from."""
    injected = result.resolved.injected
    for name, value in result.resolved.merged.sections.items():
        if name == "env_vars" and isinstance(value, MergedMapping):
            yield from (
                str(leaf.node.value) for key, leaf in value.entries.items() if leaf.is_dynamic and key not in injected
            )
        elif name != "secrets":
            yield from _list_dynamic_texts(value)


def _list_dynamic_texts(value: MergedValue) -> Iterator[str]:
    if not value.is_dynamic:
        return
    if isinstance(value, MergedScalar):
        yield str(value.node.value)
    else:
        for part in value.items if isinstance(value, MergedSequence) else value.entries.values():
            yield from _list_dynamic_texts(part)
