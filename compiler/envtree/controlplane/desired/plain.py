"""Resources that are one file each: the organization, policies, skills, workflows, worker queues and jobs."""

from collections.abc import Iterator, Mapping
from typing import Any

from envtree.controlplane.desired.desired import Desired, Link, Ref
from envtree.controlplane.desired.lookup import Lookup, picked, refuse
from envtree.frontend.link.entities import UUID
from envtree.model.canonical_json import compact
from envtree.model.diagnostic import Diagnostics
from envtree.model.fields import field, mapping
from envtree.model.nodes import Document, Scalar
from envtree.model.source import Kind
from envtree.model.span import whole_file

_SKILL = ("type", "description", "icon", "enabled", "configuration")
_WORKFLOW = ("workflow_type", "workflow_definition", "python_dsl_code", "default_runner", "validation_enabled")
_POLICY = ("policy_content", "description", "enabled", "tags", "metadata")
_QUEUE = ("display_name", "description", "max_workers", "heartbeat_interval", "tags", "settings")
_JOB = (
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
_WORKERS = {"predefined_agent": "agent", "predefined_team": "team", "predefined_workflow": "workflow"}


def organization(look: Lookup) -> Iterator[Desired]:
    """The settings, if there are any."""
    document = look.workspace.organization.document
    body = picked(document.root.value, ("enforcement_enabled", "enforcement_mode"))
    if body:
        yield Desired("organization", str(look.workspace.organization.fields["name"]), whole_file(document.path), body)


def policies(look: Lookup) -> Iterator[Desired]:
    """Those in Rego, with what they are bound to; the others are envtree's own."""
    for name, document in look.resources.documents(Kind.POLICY).items():
        data = document.root.value
        if "policy_content" in data:
            links = (link for binding in data.get("bindings") or () for link in _bound(binding, look))
            body = {"name": name, **picked(data, _POLICY)}
            yield Desired("policy", name, whole_file(document.path), body, links=tuple(links))


def _bound(binding: Mapping[str, Any], look: Lookup) -> Iterator[Link]:
    kind, mention = binding["entity_type"], str(binding["entity_id"])
    body = {"entity_type": kind, **picked(binding, ("enabled", "priority", "metadata"))}
    members: list[Any] = [mention]
    if kind == "environment" and not UUID.fullmatch(mention):
        members = [Ref("environment", name) for name in look.environment_names(mention)]
    elif kind in ("agent", "team") and not UUID.fullmatch(mention):
        members = look.everywhere(kind, mention)
    for member in members:
        yield Link(kind, member, body)


def skills(look: Lookup) -> Iterator[Desired]:
    """Skills, and workflows as such."""
    for name, document in look.resources.documents(Kind.SKILL).items():
        body = {"name": name, **picked(document.root.value, _SKILL)}
        if isinstance(body.get("configuration"), Mapping):
            body["configuration"] = _spelt(body["configuration"])
        yield Desired("skill", name, whole_file(document.path), body)
    for project in look.workspace.projects if look.workspace.organization.control_plane.workflows == "skill" else ():
        for name, document in look.resources.documents(Kind.WORKFLOW, project.name).items():
            data = document.root.value
            called = look.names.workflow(project.name, name)
            kind = "json" if "workflow_definition" in data else "python_dsl"
            configuration = {"workflow_type": kind, **_spelt(picked(data, _WORKFLOW))}
            body = {"name": called, "type": "workflow_executor", **picked(data, ("description",))}
            yield Desired("skill", called, whole_file(document.path), {**body, "configuration": configuration})


def _spelt(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration of a skill: the API has the definition of a workflow as text."""
    definition = configuration.get("workflow_definition")
    spelt = {"workflow_definition": compact(definition)} if isinstance(definition, dict) else {}
    return {**configuration, **spelt}


def queues(look: Lookup) -> Iterator[Desired]:
    """Worker queues, each in every environment that its own one has become."""
    for name, document in look.resources.documents(Kind.WORKER_QUEUE).items():
        data = document.root.value
        for environment in look.environment_names(str(data.get("environment"))):
            body = {"name": name, **picked(data, _QUEUE)}
            late, parent = picked(data, ("status",)), Ref("environment", environment)
            yield Desired("worker_queue", f"{environment}/{name}", whole_file(document.path), body, late, (), parent)


def jobs(look: Lookup, diags: Diagnostics) -> Iterator[Desired]:
    """Jobs; one that cannot be said is reported and left out."""
    for name, document in look.resources.documents(Kind.JOB).items():
        body = {"name": name, **picked(document.root.value, _JOB)}
        done = _done_by(document, look, diags)
        if done is not None:
            section = _section(document)
            yield Desired("job", name, whole_file(document.path), {**body, **done, **section})


def _done_by(document: Document, look: Lookup, diags: Diagnostics) -> dict[str, Any] | None:
    """Who does the work of a job, and where; None if there is nobody, or are several."""
    data = document.root.value
    kind = data.get("entity_type") or _WORKERS.get(data.get("planning_mode", "predefined_agent"), "")
    mention = data.get("entity_id")
    where = _where(data, kind, look)
    if mention and where is None:
        message = f"{kind} '{mention}' runs in {len(look.environments(kind, mention))} environments, and a job in one"
        refuse(document, message, "name it as 'environment_name'", diags, "entity_id")
        return None
    project = look.project_of(kind, mention) if mention else ""
    entity = _entity(kind, mention, where or "", look) if mention else None
    if mention and entity is None:
        message = f"{kind} '{mention}' is nothing at the control plane" + (f" in '{where}'" if where else "")
        refuse(document, message, _HINTS.get(kind, ""), diags, "entity_id")
        return None
    done: dict[str, Any] = {"entity_type": kind, "entity_id": entity} if mention else {}
    return done | _placed(data, look.names.environment(project, where or ""))


def _where(data: Mapping[str, Any], kind: str, look: Lookup) -> str | None:
    """The environment of a job as far as one is meant: of its own, its queue's, or the only one there is."""
    mention, queue = str(data.get("entity_id") or ""), str(data.get("worker_queue_name") or "")
    said = str(data.get("environment_name") or look.queue_environment(queue))
    if said or kind not in ("agent", "team") or UUID.fullmatch(mention):
        return said
    places = look.environments(kind, mention)
    return places[0] if len(places) == 1 else None


def _placed(data: Mapping[str, Any], environment: str) -> dict[str, Any]:
    """Where a job runs; a queue is known by its id."""
    queue = data.get("worker_queue_name")
    is_known = queue and not UUID.fullmatch(queue)
    placed = (
        {"worker_queue_name": Ref("worker_queue", f"{environment}/{queue}") if is_known else queue} if queue else {}
    )
    return placed | ({"environment_name": environment} if data.get("environment_name") else {})


_HINTS = {
    "agent": "name an environment in which it runs",
    "team": "name an environment in which it runs",
    "workflow": "set 'control_plane.workflows' to 'skill' in organization.yaml",
}


def _entity(kind: str, mention: str, where: str, look: Lookup) -> Ref | str | None:
    if UUID.fullmatch(mention) or kind not in ("agent", "team", "workflow"):
        return mention
    if kind != "workflow":
        return look.inside(kind, mention, where)
    found = look.entities.find(mention, ("workflow",))
    if look.workspace.organization.control_plane.workflows != "skill" or len(found) != 1:
        return None
    project, _, workflow = found[0].partition("/")
    return Ref("skill", look.names.workflow(project, workflow))


def _section(document: Document) -> dict[str, Any]:
    """The environment that is stored with a job; its variables are texts, as written."""
    section = document.root.value.get("execution_environment")
    if not section:
        return {}
    variables = mapping(field(document, "execution_environment", "env_vars"))
    texts = {name: one.text for name, one in variables.entries.items() if isinstance(one, Scalar)} if variables else {}
    return {"execution_environment": {**section, **({"env_vars": texts} if texts else {})}}
