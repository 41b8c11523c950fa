"""Resources that are one file each: organization settings, policies, skills, workflows, worker queues and jobs."""

from collections.abc import Iterator, Mapping
from typing import Any

from envtree.controlplane.desired.desired_resource import DesiredLink, DesiredResource, ResourceRef
from envtree.controlplane.desired.resource_lookup import ResourceLookup, pick_fields, report_unsupported
from envtree.frontend.link.entity_lookup import UUID_PATTERN
from envtree.model.canonical_json import encode_compact
from envtree.model.diagnostic import Diagnostics
from envtree.model.fields import as_mapping, get_field
from envtree.model.nodes import Document, ScalarNode
from envtree.model.source import Kind
from envtree.model.span import file_span

_SKILL_FIELDS = ("type", "description", "icon", "enabled", "configuration")
_WORKFLOW_FIELDS = ("workflow_type", "workflow_definition", "python_dsl_code", "default_runner", "validation_enabled")
_POLICY_FIELDS = ("policy_content", "description", "enabled", "tags", "metadata")
_QUEUE_FIELDS = ("display_name", "description", "max_workers", "heartbeat_interval", "tags", "settings")
_JOB_FIELDS = (
    "description",
    "enabled",
    "trigger_type",
    "cron_schedule",
    "cron_timezone",
    "planning_mode",
    "entity_type",
    "prompt_template",
    "system_prompt",
    "executor_type",
    "config",
)
_PLANNED_ENTITY_KINDS = {"predefined_agent": "agent", "predefined_team": "team", "predefined_workflow": "workflow"}


def organization_resource(lookup: ResourceLookup) -> Iterator[DesiredResource]:
    """Yield the settings of the organization, if it has any."""
    document = lookup.workspace.organization.document
    body = pick_fields(document.root.value, ("enforcement_enabled", "enforcement_mode"))
    if body:
        yield DesiredResource(
            "organization", str(lookup.workspace.organization.fields["name"]), file_span(document.path), body
        )


def policy_resources(lookup: ResourceLookup) -> Iterator[DesiredResource]:
    """Yield the policies in Rego with their bindings; all others are evaluated by envtree itself."""
    for name, document in lookup.resources.documents(Kind.POLICY).items():
        data = document.root.value
        if "policy_content" in data:
            links = (link for binding in data.get("bindings") or () for link in _binding_links(binding, lookup))
            body = {"name": name, **pick_fields(data, _POLICY_FIELDS)}
            yield DesiredResource("policy", name, file_span(document.path), body, links=tuple(links))


def _binding_links(binding: Mapping[str, Any], lookup: ResourceLookup) -> Iterator[DesiredLink]:
    kind, mention = binding["entity_type"], str(binding["entity_id"])
    body = {"entity_type": kind, **pick_fields(binding, ("enabled", "priority", "metadata"))}
    members: list[Any] = [mention]
    if kind == "environment" and not UUID_PATTERN.fullmatch(mention):
        members = [ResourceRef("environment", name) for name in lookup.environment_names(mention)]
    elif kind in ("agent", "team") and not UUID_PATTERN.fullmatch(mention):
        members = lookup.refs_in_all_environments(kind, mention)
    for member in members:
        yield DesiredLink(kind, member, body)


def skill_resources(lookup: ResourceLookup) -> Iterator[DesiredResource]:
    """Yield the skills, and the workflows that become skills."""
    for name, document in lookup.resources.documents(Kind.SKILL).items():
        body = {"name": name, **pick_fields(document.root.value, _SKILL_FIELDS)}
        if isinstance(body.get("configuration"), Mapping):
            body["configuration"] = _encode_workflow_definition(body["configuration"])
        yield DesiredResource("skill", name, file_span(document.path), body)
    for project in (
        lookup.workspace.projects if lookup.workspace.organization.control_plane.workflows == "skill" else ()
    ):
        for name, document in lookup.resources.documents(Kind.WORKFLOW, project.name).items():
            data = document.root.value
            skill_name = lookup.names.workflow(project.name, name)
            kind = "json" if "workflow_definition" in data else "python_dsl"
            configuration = {"workflow_type": kind, **_encode_workflow_definition(pick_fields(data, _WORKFLOW_FIELDS))}
            body = {"name": skill_name, "type": "workflow_executor", **pick_fields(data, ("description",))}
            yield DesiredResource(
                "skill", skill_name, file_span(document.path), {**body, "configuration": configuration}
            )


def _encode_workflow_definition(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """Return a skill's configuration with the workflow definition as text, as the API takes it."""
    definition = configuration.get("workflow_definition")
    encoded = {"workflow_definition": encode_compact(definition)} if isinstance(definition, dict) else {}
    return {**configuration, **encoded}


def worker_queue_resources(lookup: ResourceLookup) -> Iterator[DesiredResource]:
    """Yield the worker queues, each in every instance of its environment."""
    for name, document in lookup.resources.documents(Kind.WORKER_QUEUE).items():
        data = document.root.value
        for environment in lookup.environment_names(str(data.get("environment"))):
            body = {"name": name, **pick_fields(data, _QUEUE_FIELDS)}
            late, parent = pick_fields(data, ("status",)), ResourceRef("environment", environment)
            yield DesiredResource(
                "worker_queue", f"{environment}/{name}", file_span(document.path), body, late, (), parent
            )


def job_resources(lookup: ResourceLookup, diags: Diagnostics) -> Iterator[DesiredResource]:
    """Yield the jobs; report and omit one that cannot be expressed."""
    for name, document in lookup.resources.documents(Kind.JOB).items():
        body = {"name": name, **pick_fields(document.root.value, _JOB_FIELDS)}
        assignment = _job_assignment(document, lookup, diags)
        if assignment is not None:
            section = _job_section(document)
            yield DesiredResource("job", name, file_span(document.path), {**body, **assignment, **section})


def _job_assignment(document: Document, lookup: ResourceLookup, diags: Diagnostics) -> dict[str, Any] | None:
    """Return the fields that say which entity does the job, and where; None unless exactly one does."""
    data = document.root.value
    kind = data.get("entity_type") or _PLANNED_ENTITY_KINDS.get(data.get("planning_mode", "predefined_agent"), "")
    mention = data.get("entity_id")
    environment = _job_environment(data, kind, lookup)
    if mention and environment is None:
        message = (
            f"{kind} '{mention}' runs in {len(lookup.environments_of(kind, mention))} environments, and a job in one"
        )
        report_unsupported(document, message, "name it as 'environment_name'", diags, "entity_id")
        return None
    project = lookup.project_of(kind, mention) if mention else ""
    entity = _entity_ref(kind, mention, environment or "", lookup) if mention else None
    if mention and entity is None:
        message = f"{kind} '{mention}' is nothing at the control plane" + (
            f" in '{environment}'" if environment else ""
        )
        report_unsupported(document, message, _ENTITY_HINTS.get(kind, ""), diags, "entity_id")
        return None
    assignment: dict[str, Any] = {"entity_type": kind, "entity_id": entity} if mention else {}
    return assignment | _job_placement(data, lookup.names.environment(project, environment or ""))


def _job_environment(data: Mapping[str, Any], kind: str, lookup: ResourceLookup) -> str | None:
    """Return the environment of a job: its own, its queue's, or the entity's only one; None if ambiguous."""
    mention, queue = str(data.get("entity_id") or ""), str(data.get("worker_queue_name") or "")
    declared = str(data.get("environment_name") or lookup.queue_environment(queue))
    if declared or kind not in ("agent", "team") or UUID_PATTERN.fullmatch(mention):
        return declared
    environments = lookup.environments_of(kind, mention)
    return environments[0] if len(environments) == 1 else None


def _job_placement(data: Mapping[str, Any], environment: str) -> dict[str, Any]:
    """Return the fields that say where a job runs; a queue is referred to by its id."""
    queue = data.get("worker_queue_name")
    placement: dict[str, Any] = {}
    if queue:
        is_id = UUID_PATTERN.fullmatch(queue)
        placement["worker_queue_name"] = queue if is_id else ResourceRef("worker_queue", f"{environment}/{queue}")
    if data.get("environment_name"):
        placement["environment_name"] = environment
    return placement


_ENTITY_HINTS = {
    "agent": "name an environment in which it runs",
    "team": "name an environment in which it runs",
    "workflow": "set 'control_plane.workflows' to 'skill' in organization.yaml",
}


def _entity_ref(kind: str, mention: str, environment: str, lookup: ResourceLookup) -> ResourceRef | str | None:
    if UUID_PATTERN.fullmatch(mention) or kind not in ("agent", "team", "workflow"):
        return mention
    if kind != "workflow":
        return lookup.ref_in_environment(kind, mention, environment)
    paths = lookup.entities.find(mention, ("workflow",))
    if lookup.workspace.organization.control_plane.workflows != "skill" or len(paths) != 1:
        return None
    project, _, workflow = paths[0].partition("/")
    return ResourceRef("skill", lookup.names.workflow(project, workflow))


def _job_section(document: Document) -> dict[str, Any]:
    """Return the environment that is stored with a job; its variables are texts, as written."""
    section = document.root.value.get("execution_environment")
    if not section:
        return {}
    variables = as_mapping(get_field(document, "execution_environment", "env_vars"))
    texts = (
        {name: node.text for name, node in variables.entries.items() if isinstance(node, ScalarNode)}
        if variables
        else {}
    )
    return {"execution_environment": {**section, **({"env_vars": texts} if texts else {})}}
