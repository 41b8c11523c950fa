"""What names of the tree are at the control plane: references to resources, or the ids that the tree gives itself."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from envtree.controlplane.desired.desired_resource import ResourceKind, ResourceRef
from envtree.controlplane.desired.resource_names import ResourceNames
from envtree.frontend.link.entity_lookup import UUID_PATTERN, EntityLookup
from envtree.model.diagnostic import Diagnostic, Diagnostics
from envtree.model.fields import get_field, get_text
from envtree.model.layers import Target
from envtree.model.nodes import Document
from envtree.model.resource import Resources
from envtree.model.source import Kind as FileKind
from envtree.model.span import Span, file_span
from envtree.model.workspace import Environment, Workspace


class EnvironmentInstance(NamedTuple):
    """An environment as the control plane has it: its name there, and whose it is; no project means all of them."""

    name: str
    project: str
    environment: Environment


class ResourceLookup:
    """All that the makers of bodies look up; `agents` and `teams` are the targets that there are, by path."""

    def __init__(
        self, workspace: Workspace, resources: Resources, agents: Iterable[Target], teams: Iterable[Target]
    ) -> None:
        self.workspace, self.resources = workspace, resources
        self.names = ResourceNames(workspace)
        self.entities = EntityLookup(workspace)
        self.agents = _group_by_path(agents)
        self.teams = _group_by_path(teams)
        self._targets_by_team = _group_targets(self.agents.values(), lambda at: (at.project, at.team, at.environment))
        self._targets_by_project = _group_targets((*self.agents.values(), *self.teams.values()), lambda at: at.project)
        self.environment_instances = tuple(self._iter_environment_instances())

    def environment_names(self, environment: str) -> list[str]:
        """What an environment of the tree has become."""
        return [site.name for site in self.environment_instances if site.environment.name == environment]

    def is_bound(self, policy: str, environment: str) -> bool:
        """Whether a policy of the tree is bound to an environment in its own file."""
        document = self.resources.document(FileKind.POLICY, policy)
        bindings = document.root.value.get("bindings") if document else None
        return any((one["entity_type"], one["entity_id"]) == ("environment", environment) for one in bindings or ())

    def resolve_mention(self, kind: ResourceKind, mention: Any) -> ResourceRef | str:
        """A file of this tree, or an id."""
        return str(mention) if UUID_PATTERN.fullmatch(str(mention)) else ResourceRef(kind, str(mention))

    def resolve_mentions(self, kind: ResourceKind, mentions: Any) -> list[ResourceRef | str]:
        """Each of a list."""
        return [self.resolve_mention(kind, one) for one in mentions or ()]

    def skill_fields(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """The fields about skills, with references."""
        found: dict[str, Any] = {}
        if "skill_ids" in data:
            found["skill_ids"] = self.resolve_mentions("skill", data["skill_ids"])
        if "skill_configurations" in data:
            configured = data["skill_configurations"] or {}
            found["skill_configurations"] = {
                self.resolve_mention("skill", name): one for name, one in configured.items()
            }
        return found

    def target_ref(self, target: Target) -> ResourceRef:
        """The resource of an agent, or of a team, in an environment."""
        return (
            ResourceRef("agent", self.names.agent(target))
            if target.agent
            else ResourceRef("team", self.names.team(target))
        )

    def refs_in_all_environments(self, kind: str, mention: str, near: str = "") -> list[ResourceRef]:
        """An agent or a team in all of its environments."""
        return [self.target_ref(at) for at in self._find_targets(kind, mention, near)]

    def ref_in_environment(self, kind: str, mention: str, environment: str, near: str = "") -> ResourceRef | str | None:
        """An agent or a team in one environment, None where it does not run there; or an id."""
        if UUID_PATTERN.fullmatch(mention):
            return mention
        found = [at for at in self._find_targets(kind, mention, near) if at.environment == environment]
        return self.target_ref(found[0]) if found else None

    def team_members(self, team: Target) -> list[ResourceRef]:
        """The agents of a team's folder, where the team runs."""
        return [
            self.target_ref(at) for at in self._targets_by_team.get((team.project, team.team, team.environment), ())
        ]

    def project_targets(self, project: str) -> list[Target]:
        """The agents and teams of a project, in all their environments."""
        return self._targets_by_project.get(project, [])

    def environments_of(self, kind: str, mention: str) -> list[str]:
        """Where an agent or a team runs."""
        return [at.environment for at in self._find_targets(kind, mention)]

    def project_of(self, kind: str, mention: str) -> str:
        """The project of an entity, an empty text for an id."""
        found = self.entities.find(mention, (kind,))
        return found[0].partition("/")[0] if len(found) == 1 else ""

    def queue_environment(self, queue: str) -> str:
        """The environment of a worker queue."""
        return get_text(get_field(self.resources.document(FileKind.WORKER_QUEUE, queue), "environment")) or ""

    def _iter_environment_instances(self) -> Iterator[EnvironmentInstance]:
        """Every environment that is no abstract one."""
        shared, roots = self.names.has_shared_environments, self.workspace.environments
        for one in roots.values() if shared else ():
            if not one.abstract:
                yield EnvironmentInstance(self.names.environment("", one.name), "", one)
        for project in self.workspace.projects:
            for one in project.environments.values():
                is_own = one.name not in roots
                if (is_own and not one.abstract) or (not shared and one.name in project.targets):
                    yield EnvironmentInstance(self.names.environment(project.name, one.name), project.name, one)

    def _find_targets(self, kind: str, mention: str, near: str = "") -> list[Target]:
        found = self.entities.find(mention, (kind,), near)
        known = self.agents if kind == "agent" else self.teams
        return known.get(found[0], []) if len(found) == 1 else []


def _group_by_path(targets: Iterable[Target]) -> dict[str, list[Target]]:
    found: dict[str, list[Target]] = {}
    for at in targets:
        path = at.agent_path if at.agent else f"{at.project}/{at.team}"
        found.setdefault(path, []).append(at)
    return found


def _group_targets(targets: Iterable[Iterable[Target]], key: Callable[[Target], Any]) -> dict[Any, list[Target]]:
    found: dict[Any, list[Target]] = {}
    for each in targets:
        for at in each:
            found.setdefault(key(at), []).append(at)
    return found


def pick_fields(data: Mapping[str, Any], fields: Iterable[str]) -> dict[str, Any]:
    """The fields that a file has."""
    return {name: data[name] for name in fields if name in data}


def field_span(document: Document, *path: str) -> Span:
    """The place of a field, or the file."""
    node = get_field(document, *path)
    return document.span(node) if node else file_span(document.path)


def report_unsupported(document: Document, message: str, hint: str, diags: Diagnostics, *path: str) -> None:
    """Report what the control plane cannot be asked for."""
    diags.add(Diagnostic(field_span(document, *path), "ET314", message, hint, key=".".join(path)))
