"""Request bodies: the fields that the API wants together, apart, or not at all."""

from collections.abc import Callable, Mapping
from typing import Any

from envtree.controlplane.desired import DesiredResource, ResourceRef, substitute_refs
from envtree.controlplane.sync.marker import Marker, with_marker
from envtree.controlplane.sync.resource_schemas import RESOURCE_SCHEMAS, SETTINGS_FIELDS, ApiObject

IdResolver = Callable[[ResourceRef], str]


def resource_path(resource: DesiredResource, id_of: IdResolver, id: str | None = None) -> str:
    """Return the path of a resource, or the one that creates a resource of its kind."""
    if id:
        return f"{RESOURCE_SCHEMAS[resource.kind].path}/{id}"
    return (
        f"/environments/{id_of(resource.parent)}/worker-queues"
        if resource.parent
        else RESOURCE_SCHEMAS[resource.kind].path
    )


def create_body(resource: DesiredResource, id_of: IdResolver, marker: Marker) -> dict[str, Any]:
    """Return the body that creates a resource, with its marker from the beginning."""
    return with_marker(resource.kind, substitute_refs(resource.body, id_of), marker, {})


def update_body(
    resource: DesiredResource,
    fields: Mapping[str, Any],
    live_object: ApiObject,
    marker: Marker,
    id_of: IdResolver,
) -> dict[str, Any]:
    """Return the body that changes fields of a resource, complete where the server replaces a field as a whole."""
    state = substitute_refs(resource.state, id_of)
    body = with_marker(resource.kind, fields, marker, {**live_object, **state})
    if resource.kind == "project":
        return _project_update(body, state, live_object)
    if resource.kind == "agent":
        return _agent_update(body, state, live_object)
    if resource.kind == "job":
        return {field: "" if value is None else value for field, value in body.items()}
    return body


def _project_update(body: dict[str, Any], state: ApiObject, live_object: ApiObject) -> dict[str, Any]:
    """Complete a project's body: settings that are sent alone erase fields that the server keeps inside them."""
    beside = {name: state.get(name, live_object.get(name)) for name in SETTINGS_FIELDS}
    settings = {name: value for name, value in body["settings"].items() if name not in SETTINGS_FIELDS}
    return {**body, **beside, "settings": settings}


def _agent_update(body: dict[str, Any], state: ApiObject, live_object: ApiObject) -> dict[str, Any]:
    """Move the prompt into the configuration: the server discards a configuration beside a prompt."""
    fields = {name: value for name, value in body.items() if name != "system_prompt"}
    prompt = body.get("system_prompt", state.get("system_prompt", live_object.get("system_prompt")))
    configuration = {name: value for name, value in body["configuration"].items() if name != "system_prompt"}
    if prompt is not None:
        configuration["system_prompt"] = prompt
    if {"skill_ids", "skill_configurations"} & fields.keys():
        fields |= {name: state[name] for name in ("skill_ids", "skill_configurations") if name in state}
    if not fields.get("skill_ids", True):
        # The server rejects an empty list, but only after it has stored the rest.
        del fields["skill_ids"]
    return {**fields, "configuration": configuration}
