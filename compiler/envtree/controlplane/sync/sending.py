"""The bodies of requests: what the API wants together, apart, or not at all."""

from collections.abc import Callable, Mapping
from typing import Any

from envtree.controlplane.desired import Desired, Ref, substituted
from envtree.controlplane.sync.marker import Marker, marked
from envtree.controlplane.sync.shapes import INSIDE_SETTINGS, SHAPES, Object

Named = Callable[[Ref], str]


def place(one: Desired, named: Named, id: str | None = None) -> str:
    """Where a resource is, or where one of its kind is made."""
    if id:
        return f"{SHAPES[one.kind].path}/{id}"
    return f"/environments/{named(one.parent)}/worker-queues" if one.parent else SHAPES[one.kind].path


def first(one: Desired, named: Named, mark: Marker) -> dict[str, Any]:
    """The body that creates a resource: it is marked from the beginning."""
    return marked(one.kind, substituted(one.body, named), mark, {})


def further(one: Desired, fields: Mapping[str, Any], found: Object, mark: Marker, named: Named) -> dict[str, Any]:
    """The body that changes fields of a resource. What it replaces as a whole it says as a whole."""
    state = substituted(one.state, named)
    body = marked(one.kind, fields, mark, {**found, **state})
    if one.kind == "project":
        return _project(body, state, found)
    if one.kind == "agent":
        return _agent(body, state, found)
    if one.kind == "job":
        return {field: "" if value is None else value for field, value in body.items()}
    return body


def _project(body: dict[str, Any], state: Object, found: Object) -> dict[str, Any]:
    """Settings that are sent alone erase what the server keeps inside of them."""
    beside = {name: state.get(name, found.get(name)) for name in INSIDE_SETTINGS}
    settings = {name: value for name, value in body["settings"].items() if name not in INSIDE_SETTINGS}
    return {**body, **beside, "settings": settings}


def _agent(body: dict[str, Any], state: Object, found: Object) -> dict[str, Any]:
    """A prompt that is sent by itself has the configuration beside it discarded, so it goes inside."""
    fields = {name: value for name, value in body.items() if name != "system_prompt"}
    prompt = body.get("system_prompt", state.get("system_prompt", found.get("system_prompt")))
    configuration = {name: value for name, value in body["configuration"].items() if name != "system_prompt"}
    if prompt is not None:
        configuration["system_prompt"] = prompt
    if {"skill_ids", "skill_configurations"} & fields.keys():
        fields |= {name: state[name] for name in ("skill_ids", "skill_configurations") if name in state}
    if not fields.get("skill_ids", True):
        # It takes no empty list, and says so after it has stored the rest.
        del fields["skill_ids"]
    return {**fields, "configuration": configuration}
