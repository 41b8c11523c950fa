"""Find declarations of the organization, projects and teams that nothing uses."""

import re
from collections.abc import Iterator

from envtree.compile.tree_lint.workspace_sections import project_sections, shared_sections
from envtree.model.diagnostic import Diagnostic, RelatedSpan
from envtree.model.fields import as_mapping, get_field
from envtree.model.keypath import KeyPath, parse_path
from envtree.model.nodes import MappingNode, iter_scalars
from envtree.model.path_policy import PathPolicy, PolicyLookup
from envtree.model.workspace import Workspace
from envtree.queries.fleet.declaration_usage import ContractUsage, find_contract_usages
from envtree.queries.fleet.written_values import ValueKind, find_merged_values

_MAX_RELATED = 3


def find_unused_declarations(workspace: Workspace) -> Iterator[Diagnostic]:
    """Yield a finding for each input, contract and policy of `merge` that applies to no bundle."""
    sections = [*shared_sections(workspace)]
    for project in workspace.projects:
        sections += project_sections(project)
    yield from _unused_inputs(workspace, sections)
    yield from _unused_policies(workspace, sections)
    for declared in find_contract_usages(workspace, lambda _: True):
        if declared.bundles and not declared.usage.effective_in:
            yield _contract_finding(declared)


def _unused_inputs(workspace: Workspace, sections: list[MappingNode]) -> Iterator[Diagnostic]:
    # A name in any text with an expression counts as read; at worst an unused input is not reported.
    texts = {node.text for section in sections for node in iter_scalars(section) if "${{" in node.text}
    words = {word for text in texts if "inputs" in text for word in re.findall(r"\w+", text)}
    for name, declared in workspace.organization.inputs.items():
        if name not in words:
            message, hint = f"nothing reads the input '{name}'", f"remove it, or read it as ${{{{ inputs.{name} }}}}"
            yield Diagnostic(declared.span, "ET551", message, hint, key=f"inputs.{name}")


def _unused_policies(workspace: Workspace, sections: list[MappingNode]) -> Iterator[Diagnostic]:
    document = workspace.organization.document
    declared = as_mapping(get_field(document, "merge"))
    policies = workspace.organization.policies_by_path
    lookup = PolicyLookup(policies)
    values = {written for section in sections for written in find_merged_values(section)} if declared else set()
    kinds_by_pattern: dict[KeyPath, set[ValueKind]] = {pattern: set() for pattern in policies}
    for path, kind in values:
        for pattern in lookup.matching(path, unknown="*"):
            kinds_by_pattern[pattern].add(kind)
    for text in declared.entries if declared else ():
        assert declared is not None
        pattern = parse_path(text)
        kinds = _kinds_of(policies[pattern])
        if kinds_by_pattern[pattern].isdisjoint(kinds):
            wanted = "value" if "scalar" in kinds else " or ".join(kinds)
            message = f"there is no {wanted} at '{text}', so its policy is for nothing"
            hint = "correct the path, or remove the line"
            yield Diagnostic(document.key_span(declared, text), "ET454", message, hint, key="merge")


def _kinds_of(policy: PathPolicy) -> tuple[ValueKind, ...]:
    """Return the kinds of values to which a policy applies."""
    if policy.must_exist:
        return "list", "map", "scalar"
    return ("list", "map") if policy.replaces_maps else ("list",)


def _contract_finding(declared: ContractUsage) -> Diagnostic:
    name, usage = declared.usage.key.removeprefix("variables."), declared.usage
    related = tuple(RelatedSpan(span, "declared again here") for span in sorted(usage.shadowed_by)[:_MAX_RELATED])
    if related:
        message = f"the declaration of '{name}' holds for no bundle: others of the name stand over it"
        return Diagnostic(usage.span, "ET757", message, "remove it", related, "variables")
    environments = ", ".join(declared.contract.rules["environments"]) or "none"
    message = f"the declaration of '{name}' holds for no bundle: its 'environments' are {environments}"
    return Diagnostic(usage.span, "ET757", message, "remove it, or correct its 'environments'", key="variables")
