"""Link overlays: the changes of a project, a team or an agent for one environment."""

from collections.abc import Collection
from collections.abc import Mapping as Map

from envtree.diagnostics.suggest import did_you_mean, nearest_name
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
    """Return the overlays of a project or a team, which are separate files."""
    documents = resources.documents(Kind.OVERLAY, project, team)
    secrets = {location.name for location in resources.secret_locations(Kind.OVERLAY, project, team)}
    overlays = {}
    for name in sorted({*documents, *secrets}):
        document = documents.get(name)
        secrets_file = resources.secrets_file(Kind.OVERLAY, name, project, team)
        span = file_span(document.path if document else secrets_file.path if secrets_file else "")
        if name not in environments:
            _report_unknown(name, span, environments, documents if document else secrets, diags)
        else:
            _check_reached(name, environments, targets, span, diags)
            overlays[name] = Overlay(document, get_execution_environment(document), None, secrets_file)
    return overlays


def agent_overlays(
    document: Document, resources: Resources, environments: Environments, targets: Targets, diags: Diagnostics
) -> dict[str, Overlay]:
    """Return the overlays in the file of an agent, with their secrets files."""
    overlays = own_file_overlays(document, resources, environments, diags)
    unreached = overlays.keys() - _reached_environments(environments, targets)
    declared = as_mapping(get_field(document, "environments"))
    # Most are reached, and computing the span takes longer than this test.
    for name in sorted(unreached):
        _check_reached(
            name, environments, targets, _overlay_span(name, document, declared, overlays[name].secrets), diags
        )
    return overlays


def own_file_overlays(
    document: Document, resources: Resources, environments: Collection[str], diags: Diagnostics
) -> dict[str, Overlay]:
    """Return the overlays in the file of an agent or a mix-in, with their secrets; report unknown environments."""
    kind, project, team, owner = document.location[:4]
    declared = as_mapping(get_field(document, "environments"))
    secrets_files = {
        location.environment: resources.secrets_file(kind, owner, project, team, location.environment)
        for location in resources.secret_locations(kind, project, team)
        if location.name == owner and location.environment
    }
    overlays = {}
    for name in sorted({*(declared.entries if declared else ()), *secrets_files}):
        secrets = secrets_files.get(name)
        overlay = as_mapping(declared.entries.get(name)) if declared else None
        if name in environments:
            section = as_mapping(overlay.entries.get("execution_environment")) if overlay else None
            model = as_scalar(overlay.entries.get("model_id")) if overlay else None
            overlays[name] = Overlay(document if overlay else None, section, model, secrets)
        else:
            existing = declared.entries if overlay and declared else secrets_files
            span = _overlay_span(name, document, declared, secrets)
            _report_unknown(name, span, environments, existing, diags)
    return overlays


def _overlay_span(name: str, document: Document, declared: MappingNode | None, secrets: SecretsFile | None) -> Span:
    if declared and name in declared.key_marks:
        return document.key_span(declared, name)
    return file_span(secrets.path if secrets else "")


def _reached_environments(environments: Environments, targets: Targets) -> set[str]:
    """Return the targets and the environments that they inherit."""
    return environments.keys() & {name for target in targets.names for name in environments[target].lineage}


def _report_unknown(
    name: str, span: Span, environments: Collection[str], existing: Collection[str], diags: Diagnostics
) -> None:
    """Report an overlay of an environment that does not exist; `existing` are the overlays beside it."""
    if not is_valid_name(name):
        return  # reported by the schema check
    nearest = nearest_name(name, environments)
    if nearest in existing:
        hint = f"move its values to the overlay of '{nearest}'"
    else:
        hint = did_you_mean(name, environments) or f"there is none yet: add 'environments/{name}.yaml'"
    message = f"this overlay is for environment '{name}', which does not exist"
    diags.add(Diagnostic(span, "ET308", message, hint))


def _check_reached(name: str, environments: Environments, targets: Targets, span: Span, diags: Diagnostics) -> None:
    """Report an overlay of an environment that no target is or inherits; the overlay is accepted."""
    if is_valid_name(name) and targets.is_reliable and name not in _reached_environments(environments, targets):
        message = f"this overlay is for environment '{name}', which no target here is or inherits"
        hint = "remove the overlay, or target the environment or one that inherits it"
        diags.add(Diagnostic(span, "ET350", message, hint, related=targets.related("the targets here")))
