"""The resources that the control plane should have, in the order in which they can be created.

A resource is identified by its kind and a name that is unique in the organization, the one that the API uses: the
`name` of most, the `key` of a project, `<environment>/<queue>` of a worker queue, the slug of the organization.

* `body` is the body of POST (PUT for the organization, whose settings always exist). `late` contains the fields that
  only PATCH takes, or that refer to resources that are created later: it is sent once all of them exist. `state` is
  the final state, both together. Only fields that the tree sets are in it; the server owns the rest.
* A `ResourceRef` stands for the id of another resource, also as a key of `skill_configurations`. An id that the tree
  gives itself is text. `execution_environment.secrets` contains names; no value of a secret is anywhere.
* `links` are associations that need a request of their own, after both ends exist:

  | owner | member | request | body |
  |---|---|---|---|
  | environment | skill | POST /skills/associations/environment/{id}/skills | `skill_id` |
  | policy | environment, team, agent, role | POST /policies/associations | ids, `policy_name`, `DesiredLink.body` |
  | project | agent | POST /projects/{id}/agents | `agent_id` |
  | project | team | POST /projects/{id}/teams | `team_id` |

  Members of a team are not links: they are `late["configuration"]["member_ids"]`, as on the server.
* `parent` is the environment of a worker queue, which is in the path of its request.
* An agent's `system_prompt` is a field of its own in `body`, as POST takes it. PATCH discards a `configuration` that is
  sent beside it, so there it must be inside `configuration`.
"""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, get_args

from envtree.model.span import Span

ResourceKind = Literal[
    "organization", "policy", "skill", "environment", "worker_queue", "team", "agent", "project", "job"
]
# In the order of creation: each kind refers to earlier ones only, except in `late`.
RESOURCE_KINDS: tuple[ResourceKind, ...] = get_args(ResourceKind)


class ResourceRef(NamedTuple):
    """A symbolic reference to the id of a resource."""

    kind: ResourceKind
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


class DesiredLink(NamedTuple):
    """An association with another resource: its reference, or the id or role that the tree names."""

    relation: str
    member: ResourceRef | str
    body: Mapping[str, Any] = MappingProxyType({})


class DesiredResource(NamedTuple):
    """One resource; `origin` is the place in the tree that declares it."""

    kind: ResourceKind
    name: str
    origin: Span
    body: Mapping[str, Any]
    late: Mapping[str, Any] = MappingProxyType({})
    links: tuple[DesiredLink, ...] = ()
    parent: ResourceRef | None = None

    @property
    def ref(self) -> ResourceRef:
        """The reference by which other resources name this one."""
        return ResourceRef(self.kind, self.name)

    @property
    def state(self) -> dict[str, Any]:
        """The fields that the server should have in the end."""
        return {**self.body, **self.late}


def iter_refs(value: Any) -> Iterator[ResourceRef]:
    """Yield the resources that a body refers to, including those in its keys."""
    if isinstance(value, ResourceRef):
        yield value
    elif isinstance(value, Mapping):
        for key, child in value.items():
            yield from iter_refs(key)
            yield from iter_refs(child)
    elif isinstance(value, list | tuple):
        for child in value:
            yield from iter_refs(child)


def substitute_refs(value: Any, resolve: Callable[[ResourceRef], Any]) -> Any:
    """Return a body with each reference replaced by `resolve`, in values and keys."""
    if isinstance(value, ResourceRef):
        return resolve(value)
    if isinstance(value, Mapping):
        return {substitute_refs(key, resolve): substitute_refs(child, resolve) for key, child in value.items()}
    if isinstance(value, list | tuple):
        return [substitute_refs(child, resolve) for child in value]
    return value


def sort_resources(resources: Iterator[DesiredResource]) -> tuple[DesiredResource, ...]:
    """Return the resources in the order of creation, by name within a kind."""
    return tuple(sorted(resources, key=lambda resource: (RESOURCE_KINDS.index(resource.kind), resource.name)))
