"""Projects that belong to nobody, where the organization says who its people are."""

from envtree.model.diagnostic import Diagnostic, Diagnostics
from envtree.model.fields import get_field, get_text_scalars
from envtree.model.span import file_span
from envtree.model.workspace import Workspace


def check_owners(workspace: Workspace, diags: Diagnostics) -> None:
    """Report each project without owners, of its own or the organization's."""
    organization = workspace.organization.document
    if get_field(organization, "people") is None or get_text_scalars(get_field(organization, "owners")):
        return
    for project in workspace.projects:
        if project.document and not get_text_scalars(get_field(project.document, "owners")):
            message = f"project '{project.name}' has no owners"
            hint = "name some of the organization's people in 'owners', here or in organization.yaml"
            diags.add(Diagnostic(file_span(project.document.path), "ET353", message, hint, key="owners"))
