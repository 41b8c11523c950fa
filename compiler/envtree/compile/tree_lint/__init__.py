"""Check the tree as a whole: repeated values, declarations without a use, and projects without owners."""

from envtree.compile.tree_lint.duplicate_values import check_duplicate_values
from envtree.compile.tree_lint.unset_variables import check_unset_variables
from envtree.model.diagnostic import Diagnostic, Diagnostics
from envtree.model.fields import get_field, get_text_scalars
from envtree.model.span import file_span
from envtree.model.workspace import Workspace


def check_owners(workspace: Workspace, diags: Diagnostics) -> None:
    """Report each project that has neither owners of its own nor those of the organization."""
    organization = workspace.organization.document
    if get_field(organization, "people") is None or get_text_scalars(get_field(organization, "owners")):
        return
    for project in workspace.projects:
        if project.document and not get_text_scalars(get_field(project.document, "owners")):
            message = f"project '{project.name}' has no owners"
            hint = "name some of the organization's people in 'owners', here or in organization.yaml"
            diags.add(Diagnostic(file_span(project.document.path), "ET353", message, hint, key="owners"))


def tree_lint(workspace: Workspace, diags: Diagnostics) -> None:
    """Report problems that concern the tree as a whole."""
    check_owners(workspace, diags)
    check_unset_variables(workspace, diags)
    check_duplicate_values(workspace, diags)


__all__ = ["tree_lint"]
