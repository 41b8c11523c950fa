"""Link environments: those of the root, and those that only one project declares."""

from collections.abc import Collection, Mapping

from envtree.diagnostics.suggest import nearest_name
from envtree.frontend.link.ancestry import Ancestry
from envtree.frontend.link.environment_types import EnvironmentTypes
from envtree.model.diagnostic import Diagnostic, Diagnostics
from envtree.model.fields import get_field, is_false, is_true, scalar_fields
from envtree.model.nodes import Document
from envtree.model.resource import Resources
from envtree.model.source import Kind
from envtree.model.span import file_span
from envtree.model.workspace import Environment

_ANCESTRY = Ancestry("environment", "inherits", "environments inherit in a circle")


def root_environments(resources: Resources, diags: Diagnostics) -> dict[str, Environment]:
    """Return the environments of the root folder `environments/`, by name."""
    return _link_environments(resources.documents(Kind.ENVIRONMENT), {}, resources, "", diags)


def project_environments(
    project: str,
    root: Mapping[str, Environment],
    resources: Resources,
    unreadable: frozenset[str],
    diags: Diagnostics,
) -> dict[str, Environment]:
    """Return all environments that are visible to a project: the root's and its own.

    A file that does not say `own: true` is an error, and still an environment, so that nothing else is reported of it.
    """
    documents = resources.documents(Kind.ENVIRONMENT, project)
    overlaid = resources.documents(Kind.OVERLAY, project)
    for name, document in documents.items():
        own = get_field(document, "own")
        if is_true(own):
            message = f"environment '{name}' is declared by project '{project}' only"
            hint = f"move it to environments/{name}.yaml without 'own', so that all projects use one set of names"
            diags.add(Diagnostic(file_span(document.path), "ET351", message, hint))
        elif document.path not in unreadable and (own is None or is_false(own)):
            message = f"this overlay is for environment '{name}', which does not exist"
            hint = _undeclared_hint(name, root, overlaid)
            diags.add(Diagnostic(file_span(document.path), "ET308", message, hint))
    environments = _link_environments(documents, root, resources, project, diags)
    return dict(sorted({**root, **environments}.items()))


def _undeclared_hint(name: str, root: Collection[str], overlaid: Collection[str]) -> str:
    """Return the hint for a file of a project that is neither an overlay nor an environment of its own."""
    nearest = nearest_name(name, root)
    if nearest in overlaid:
        return f"move its values to the overlay of '{nearest}', or write 'own: true' if it is an environment"
    if nearest:
        return f"did you mean '{nearest}'? an environment of this project alone says 'own: true'"
    return "write 'own: true' in it if it is an environment of this project alone, or correct its name"


def _link_environments(
    documents: Mapping[str, Document],
    inherited: Mapping[str, Environment],
    resources: Resources,
    project: str,
    diags: Diagnostics,
) -> dict[str, Environment]:
    if not documents:
        return {}
    parents = {name: _ANCESTRY.direct_parents(environment.document) for name, environment in inherited.items()}
    existing = {*inherited, *documents}
    for name, document in documents.items():
        parents[name] = _ANCESTRY.existing_parents(name, document, existing, diags)
    inherited_documents = {name: environment.document for name, environment in inherited.items()}
    lineages = _ANCESTRY.link(parents, documents, inherited_documents, diags)
    types = EnvironmentTypes({**inherited_documents, **documents}, lineages)
    for name in documents:
        types.report_conflicts(name, diags)
    return {
        name: Environment(
            name=name,
            document=document,
            type=types.type_of(name),
            abstract=is_true(get_field(document, "abstract")),
            lineage=lineages[name],
            fields=scalar_fields(document, name=name, type=types.type_of(name)),
            secrets=resources.secrets_file(Kind.ENVIRONMENT, name, project),
        )
        for name, document in documents.items()
    }
