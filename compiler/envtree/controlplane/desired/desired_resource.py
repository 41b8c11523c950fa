"""The resources that the control plane should have, in the order in which they can be made.

A resource is named by its kind and a name that is unique in the organization. It is what the API knows it by: the
`name` of most, the `key` of a project, `<environment>/<queue>` of a worker queue, the slug of the organization.

* `body` is what POST takes (PUT for the organization, whose settings are always there), `late` what only PATCH takes,
  or what names resources that come later: it is sent once all of them exist. What the server should have in the end is
  `state`. Only what the tree says stands in it, and a field that is not there is the server's own.
* Where the API wants the id of another resource there is a `Ref`, also as a key of `skill_configurations`. An id that
  the tree gives itself is text. `execution_environment.secrets` has names, and no value of a secret is anywhere.
* `links` are associations that need a request of their own, after both ends exist:

  | holder | member | request | body |
  |---|---|---|---|
  | environment | skill | POST /skills/associations/environment/{id}/skills | `skill_id` |
  | policy | environment, team, agent, role | POST /policies/associations | the ids, `policy_name`, `Link.body` |
  | project | agent | POST /projects/{id}/agents | `agent_id` |
  | project | team | POST /projects/{id}/teams | `team_id` |

  Members of a team are no links: they are `late["configuration"]["member_ids"]`, as the server has it.
* `parent` is the environment of a worker queue, which is in the path of its request.
* An agent's `system_prompt` stands in `body` by itself, as POST takes it. PATCH loses a `configuration` that is sent
  beside it, so there it has to stand inside of `configuration`.
"""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, get_args

from envtree.model.span import Span

ResourceKind = Literal[
    "organization", "policy", "skill", "environment", "worker_queue", "team", "agent", "project", "job"
]
# In the order in which they are made: each refers to earlier ones only, but for what is `late`.
RESOURCE_KINDS: tuple[ResourceKind, ...] = get_args(ResourceKind)


class ResourceRef(NamedTuple):
    """Stands for the id of a resource."""

    kind: ResourceKind
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


class DesiredLink(NamedTuple):
    """An association of a resource with another, which is a Ref, or the id or the role that the tree names."""

    relation: str
    member: ResourceRef | str
    body: Mapping[str, Any] = MappingProxyType({})


class DesiredResource(NamedTuple):
    """One resource; `origin` is the place in the tree that asks for it."""

    kind: ResourceKind
    name: str
    origin: Span
    body: Mapping[str, Any]
    late: Mapping[str, Any] = MappingProxyType({})
    links: tuple[DesiredLink, ...] = ()
    parent: ResourceRef | None = None

    @property
    def ref(self) -> ResourceRef:
        """What others call it."""
        return ResourceRef(self.kind, self.name)

    @property
    def state(self) -> dict[str, Any]:
        """The fields that the server should have in the end."""
        return {**self.body, **self.late}


def iter_refs(value: Any) -> Iterator[ResourceRef]:
    """The resources that a body refers to, in its keys too."""
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
    """A body with something else for each Ref: its id, or how it is written."""
    if isinstance(value, ResourceRef):
        return resolve(value)
    if isinstance(value, Mapping):
        return {substitute_refs(key, resolve): substitute_refs(child, resolve) for key, child in value.items()}
    if isinstance(value, list | tuple):
        return [substitute_refs(child, resolve) for child in value]
    return value


def sort_resources(resources: Iterator[DesiredResource]) -> tuple[DesiredResource, ...]:
    """The resources in the order in which they are made, by name within a kind."""
    return tuple(sorted(resources, key=lambda one: (RESOURCE_KINDS.index(one.kind), one.name)))
