"""What organization, projects and teams declare, and nothing makes use of."""

import re
from collections.abc import Iterator

from envtree.compile.tree_lint.layers import project_sections, shared_sections
from envtree.model.diagnostic import Diagnostic, Related
from envtree.model.fields import field, mapping
from envtree.model.keypath import KeyPath, parse_path
from envtree.model.nodes import Mapping, scalars
from envtree.model.workspace import Workspace
from envtree.queries.fleet.uses import Declared, contracts
from envtree.queries.fleet.written import lists

_SHOWN = 3


def idle_declarations(workspace: Workspace) -> Iterator[Diagnostic]:
    """A finding for each input, contract and list policy that no bundle has to do with."""
    sections = [*shared_sections(workspace)]
    for project in workspace.projects:
        sections += project_sections(project)
    yield from _inputs(workspace, sections)
    yield from _list_policies(workspace, sections)
    for declared in contracts(workspace):
        if declared.bundles and not declared.use.wins:
            yield _contract(declared)


def _inputs(workspace: Workspace, sections: list[Mapping]) -> Iterator[Diagnostic]:
    # A name that stands in any text with an expression may be read: that is one too many at most.
    texts = {node.text for section in sections for node in scalars(section) if "${{" in node.text}
    words = {word for text in texts if "inputs" in text for word in re.findall(r"\w+", text)}
    for name, declared in workspace.organization.inputs.items():
        if name not in words:
            message, hint = f"nothing reads the input '{name}'", f"remove it, or read it as ${{{{ inputs.{name} }}}}"
            yield Diagnostic(declared.span, "ET551", message, hint, key=f"inputs.{name}")


def _list_policies(workspace: Workspace, sections: list[Mapping]) -> Iterator[Diagnostic]:
    document = workspace.organization.document
    declared = mapping(field(document, "merge"))
    known = {path for section in sections for path in lists(section)} if declared else set()
    for text in declared.entries if declared else ():
        assert declared is not None
        pattern = parse_path(text)
        if not any(_matches(pattern, path) for path in known):
            message = f"there is no list at '{text}', so its policy is for nothing"
            hint = "correct the path, or remove the line"
            yield Diagnostic(document.key_span(declared, text), "ET454", message, hint, key="merge")


def _matches(pattern: KeyPath, path: KeyPath) -> bool:
    return len(pattern) == len(path) and all("*" in (a, b) or a == b for a, b in zip(pattern, path, strict=True))


def _contract(declared: Declared) -> Diagnostic:
    name, use = declared.use.key.removeprefix("variables."), declared.use
    related = tuple(Related(place, "declared again here") for place in sorted(use.lost)[:_SHOWN])
    if related:
        message = f"the declaration of '{name}' holds for no bundle: others of the name stand over it"
        return Diagnostic(use.span, "ET757", message, "remove it", related, "variables")
    environments = ", ".join(declared.contract.rules["environments"]) or "none"
    message = f"the declaration of '{name}' holds for no bundle: its 'environments' are {environments}"
    return Diagnostic(use.span, "ET757", message, "remove it, or correct its 'environments'", key="variables")
