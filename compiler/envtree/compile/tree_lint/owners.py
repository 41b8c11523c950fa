"""Projects that belong to nobody, where the organization says who its people are."""

from envtree.model.diagnostic import Diagnostic, Diagnostics
from envtree.model.fields import field, texts
from envtree.model.span import whole_file
from envtree.model.workspace import Workspace


def check_owners(workspace: Workspace, diags: Diagnostics) -> None:
    """Report each project without owners, of its own or the organization's."""
    organization = workspace.organization.document
    if field(organization, "people") is None or texts(field(organization, "owners")):
        return
    for project in workspace.projects:
        if project.document and not texts(field(project.document, "owners")):
            message = f"project '{project.name}' has no owners"
            hint = "name some of the organization's people in 'owners', here or in organization.yaml"
            diags.add(Diagnostic(whole_file(project.document.path), "ET353", message, hint, key="owners"))
