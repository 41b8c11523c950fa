"""Find variable contracts whose variable no file sets."""

from collections.abc import Iterable, Iterator, Mapping

from envtree.compile.tree_lint.workspace_sections import project_sections, shared_sections
from envtree.model.diagnostic import Diagnostic, Diagnostics
from envtree.model.nodes import MappingNode, Node, ScalarNode, SequenceNode
from envtree.model.workspace import Contract, Project, Workspace


def check_unset_variables(workspace: Workspace, diags: Diagnostics) -> None:
    """Report each declared variable that nothing in its part of the tree sets."""
    if not any(_declared_contracts(workspace)):
        return
    shared = frozenset(_set_names(shared_sections(workspace)))
    all_names = set(shared)
    for project in workspace.projects:
        names = shared.union(_set_names(project_sections(project)))
        all_names |= names
        for contracts in _project_contracts(project):
            _report_unset(contracts, names, diags)
    _report_unset(workspace.organization.contracts, all_names, diags)


def _declared_contracts(workspace: Workspace) -> Iterator[Mapping[str, Contract]]:
    yield workspace.organization.contracts
    for project in workspace.projects:
        yield from _project_contracts(project)


def _project_contracts(project: Project) -> Iterator[Mapping[str, Contract]]:
    yield project.contracts
    yield from (team.contracts for team in project.teams)


def _report_unset(contracts: Mapping[str, Contract], names: Iterable[str], diags: Diagnostics) -> None:
    for name in sorted(contracts.keys() - names):
        # A missing required variable is reported elsewhere as an error, and a deprecated one should be unset.
        if not contracts[name].rules.keys() & {"required", "deprecated"}:
            message = f"variable '{name}' is declared, but nothing sets it"
            diags.add(Diagnostic(contracts[name].span, "ET756", message, "remove it, or set it", key="variables"))


def _set_names(sections: Iterable[MappingNode]) -> Iterator[str]:
    for section in sections:
        for part in ("env_vars", "secrets"):
            if part in section.entries:
                yield from _names_in(section.entries[part])


def _names_in(node: Node) -> Iterator[str]:
    """Yield the names in a map or a list, also inside a directive."""
    if isinstance(node, SequenceNode):
        yield from (item.text for item in node.items if isinstance(item, ScalarNode))
    elif isinstance(node, MappingNode):
        for key, child in node.entries.items():
            if key.startswith("$"):
                yield from _names_in(child)
            else:
                yield key
