"""Overlays: what a project, a team or an agent adds in one environment."""

from collections.abc import Mapping as Map

from envtree.diagnostics.suggest import did_you_mean
from envtree.frontend.link.target_environments import Targets
from envtree.model.diagnostic import Diagnostic, Diagnostics
from envtree.model.fields import as_mapping, as_scalar, get_execution_environment, get_field
from envtree.model.nodes import Document, MappingNode
from envtree.model.resource import Resources
from envtree.model.secrets_file import SecretsFile
from envtree.model.source import Kind
from envtree.model.span import Span, file_span
from envtree.model.tree_layout import is_valid_name
from envtree.model.workspace import Environment, Overlay

Environments = Map[str, Environment]


def file_overlays(
    resources: Resources, environments: Environments, targets: Targets, project: str, team: str, diags: Diagnostics
) -> dict[str, Overlay]:
    """The overlays that a project or a team keeps in files of their own."""
    documents = resources.documents(Kind.OVERLAY, project, team)
    secrets = {place.name for place in resources.secret_locations(Kind.OVERLAY, project, team)}
    found = {}
    for name in sorted({*documents, *secrets}):
        document = documents.get(name)
        sealed = resources.secrets_file(Kind.OVERLAY, name, project, team)
        place = file_span(document.path if document else sealed.path if sealed else "")
        if _check_environment(name, environments, targets, place, diags):
            found[name] = Overlay(document, get_execution_environment(document), None, sealed)
    return found


def agent_overlays(
    document: Document, resources: Resources, environments: Environments, targets: Targets, diags: Diagnostics
) -> dict[str, Overlay]:
    """The overlays that are written in an agent's file, with the secrets files beside it."""
    _, project, team, agent = document.location[:4]
    declared = as_mapping(get_field(document, "environments"))
    sealed = {
        place.environment: resources.secrets_file(Kind.AGENT, agent, project, team, place.environment)
        for place in resources.secret_locations(Kind.AGENT, project, team)
        if place.name == agent and place.environment
    }
    found, reached = {}, _reached_environments(environments, targets)
    for name in sorted({*(declared.entries if declared else ()), *sealed}):
        secrets = sealed.get(name)
        own = as_mapping(declared.entries.get(name)) if declared else None
        # Most are, and to say where it stands takes longer than to know that.
        if name in reached or _check_environment(
            name, environments, targets, _overlay_span(name, document, declared, secrets), diags
        ):
            environment = as_mapping(own.entries.get("execution_environment")) if own else None
            model = as_scalar(own.entries.get("model_id")) if own else None
            found[name] = Overlay(document if own else None, environment, model, secrets)
    return found


def _overlay_span(name: str, document: Document, declared: MappingNode | None, secrets: SecretsFile | None) -> Span:
    if declared and name in declared.key_marks:
        return document.key_span(declared, name)
    return file_span(secrets.path if secrets else "")


def _reached_environments(environments: Environments, targets: Targets) -> set[str]:
    """The environments that targets are, or inherit."""
    return environments.keys() & {name for target in targets.names for name in environments[target].lineage}


def _check_environment(
    name: str, environments: Environments, targets: Targets, place: Span, diags: Diagnostics
) -> bool:
    """Whether the environment exists; one that no target inherits from is reported, but kept."""
    if not is_valid_name(name):
        return False  # told by the schema
    if name not in environments:
        message = f"this overlay is for environment '{name}', which does not exist"
        hint = did_you_mean(name, environments) or f"there is none yet: add 'environments/{name}.yaml'"
        diags.add(Diagnostic(place, "ET308", message, hint))
        return False
    if targets.is_reliable and name not in _reached_environments(environments, targets):
        message = f"this overlay is for environment '{name}', which no target here is or inherits"
        hint = "remove the overlay, or target the environment or one that inherits it"
        diags.add(Diagnostic(place, "ET350", message, hint, targets.related("the targets here")))
    return True
