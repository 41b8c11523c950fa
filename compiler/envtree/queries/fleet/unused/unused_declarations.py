"""Find declarations of the organization, projects and teams that nothing uses."""

import re
from collections.abc import Iterator

from envtree.compile.tree_lint.workspace_sections import project_sections, shared_sections
from envtree.model.diagnostic import Diagnostic, RelatedSpan
from envtree.model.fields import as_mapping, get_field
from envtree.model.keypath import KeyPath, parse_path
from envtree.model.nodes import MappingNode, iter_scalars
from envtree.model.workspace import Workspace
from envtree.queries.fleet.declaration_usage import ContractUsage, find_contract_usages
from envtree.queries.fleet.written_values import find_lists

_MAX_RELATED = 3


def find_unused_declarations(workspace: Workspace) -> Iterator[Diagnostic]:
    """Yield a finding for each input, contract and list policy that applies to no bundle."""
    sections = [*shared_sections(workspace)]
    for project in workspace.projects:
        sections += project_sections(project)
    yield from _unused_inputs(workspace, sections)
    yield from _unused_list_policies(workspace, sections)
    for declared in find_contract_usages(workspace):
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


def _unused_list_policies(workspace: Workspace, sections: list[MappingNode]) -> Iterator[Diagnostic]:
    document = workspace.organization.document
    declared = as_mapping(get_field(document, "merge"))
    list_paths = {path for section in sections for path in find_lists(section)} if declared else set()
    for text in declared.entries if declared else ():
        assert declared is not None
        pattern = parse_path(text)
        if not any(_matches(pattern, path) for path in list_paths):
            message = f"there is no list at '{text}', so its policy is for nothing"
            hint = "correct the path, or remove the line"
            yield Diagnostic(document.key_span(declared, text), "ET454", message, hint, key="merge")


def _matches(pattern: KeyPath, path: KeyPath) -> bool:
    return len(pattern) == len(path) and all("*" in (a, b) or a == b for a, b in zip(pattern, path, strict=True))


def _contract_finding(declared: ContractUsage) -> Diagnostic:
    name, usage = declared.usage.key.removeprefix("variables."), declared.usage
    related = tuple(RelatedSpan(span, "declared again here") for span in sorted(usage.shadowed_by)[:_MAX_RELATED])
    if related:
        message = f"the declaration of '{name}' holds for no bundle: others of the name stand over it"
        return Diagnostic(usage.span, "ET757", message, "remove it", related, "variables")
    environments = ", ".join(declared.contract.rules["environments"]) or "none"
    message = f"the declaration of '{name}' holds for no bundle: its 'environments' are {environments}"
    return Diagnostic(usage.span, "ET757", message, "remove it, or correct its 'environments'", key="variables")
