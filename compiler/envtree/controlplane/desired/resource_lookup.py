"""Resolve names of the tree to references of resources, or to the ids that the tree gives itself."""

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
    """An environment at the control plane: its name there and its project; no project means all of them."""

    name: str
    project: str
    environment: Environment


class ResourceLookup:
    """The lookups that building bodies needs; `agents` and `teams` are the existing targets by path."""

    def __init__(
        self, workspace: Workspace, resources: Resources, agents: Iterable[Target], teams: Iterable[Target]
    ) -> None:
        self.workspace, self.resources = workspace, resources
        self.names = ResourceNames(workspace)
        self.entities = EntityLookup(workspace)
        self.agents = _group_by_path(agents)
        self.teams = _group_by_path(teams)
        self._targets_by_team = _group_targets(
            self.agents.values(), lambda target: (target.project, target.team, target.environment)
        )
        self._targets_by_project = _group_targets(
            (*self.agents.values(), *self.teams.values()), lambda target: target.project
        )
        self.environment_instances = tuple(self._iter_environment_instances())

    def environment_names(self, environment: str) -> list[str]:
        """Return the control plane's names for an environment of the tree."""
        return [instance.name for instance in self.environment_instances if instance.environment.name == environment]

    def is_bound(self, policy: str, environment: str) -> bool:
        """Report whether the policy's own file binds it to the environment."""
        document = self.resources.document(FileKind.POLICY, policy)
        bindings = document.root.value.get("bindings") if document else None
        return any(
            (binding["entity_type"], binding["entity_id"]) == ("environment", environment) for binding in bindings or ()
        )

    def resolve_mention(self, kind: ResourceKind, mention: Any) -> ResourceRef | str:
        """Return the reference of a resource, or the id if the mention is one."""
        return str(mention) if UUID_PATTERN.fullmatch(str(mention)) else ResourceRef(kind, str(mention))

    def resolve_mentions(self, kind: ResourceKind, mentions: Any) -> list[ResourceRef | str]:
        """Resolve each mention of a list."""
        return [self.resolve_mention(kind, mention) for mention in mentions or ()]

    def skill_fields(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fields about skills, with references."""
        fields: dict[str, Any] = {}
        if "skill_ids" in data:
            fields["skill_ids"] = self.resolve_mentions("skill", data["skill_ids"])
        if "skill_configurations" in data:
            overrides = data["skill_configurations"] or {}
            fields["skill_configurations"] = {
                self.resolve_mention("skill", name): override for name, override in overrides.items()
            }
        return fields

    def target_ref(self, target: Target) -> ResourceRef:
        """Return the reference of an agent or a team in an environment."""
        return (
            ResourceRef("agent", self.names.agent(target))
            if target.agent
            else ResourceRef("team", self.names.team(target))
        )

    def refs_in_all_environments(self, kind: str, mention: str, near: str = "") -> list[ResourceRef]:
        """Return the references of an agent or a team in all of its environments."""
        return [self.target_ref(target) for target in self._find_targets(kind, mention, near)]

    def ref_in_environment(self, kind: str, mention: str, environment: str, near: str = "") -> ResourceRef | str | None:
        """Return an agent or a team in one environment, None if it does not run there; an id as it is."""
        if UUID_PATTERN.fullmatch(mention):
            return mention
        targets = [target for target in self._find_targets(kind, mention, near) if target.environment == environment]
        return self.target_ref(targets[0]) if targets else None

    def team_members(self, team: Target) -> list[ResourceRef]:
        """Return the agents in a team's folder that run in the team's environment."""
        return [
            self.target_ref(target)
            for target in self._targets_by_team.get((team.project, team.team, team.environment), ())
        ]

    def project_targets(self, project: str) -> list[Target]:
        """Return the agents and teams of a project, in all their environments."""
        return self._targets_by_project.get(project, [])

    def environments_of(self, kind: str, mention: str) -> list[str]:
        """Return the environments in which an agent or a team runs."""
        return [target.environment for target in self._find_targets(kind, mention)]

    def project_of(self, kind: str, mention: str) -> str:
        """Return the project of an entity; empty for an id or an ambiguous mention."""
        paths = self.entities.find(mention, (kind,))
        return paths[0].partition("/")[0] if len(paths) == 1 else ""

    def queue_environment(self, queue: str) -> str:
        """Return the environment of a worker queue."""
        return get_text(get_field(self.resources.document(FileKind.WORKER_QUEUE, queue), "environment")) or ""

    def _iter_environment_instances(self) -> Iterator[EnvironmentInstance]:
        """Yield every environment that is not abstract."""
        is_shared, root_environments = self.names.has_shared_environments, self.workspace.environments
        for environment in root_environments.values() if is_shared else ():
            if not environment.abstract:
                yield EnvironmentInstance(self.names.environment("", environment.name), "", environment)
        for project in self.workspace.projects:
            for environment in project.environments.values():
                is_own = environment.name not in root_environments
                if (is_own and not environment.abstract) or (not is_shared and environment.name in project.targets):
                    yield EnvironmentInstance(
                        self.names.environment(project.name, environment.name), project.name, environment
                    )

    def _find_targets(self, kind: str, mention: str, near: str = "") -> list[Target]:
        paths = self.entities.find(mention, (kind,), near)
        targets_by_path = self.agents if kind == "agent" else self.teams
        return targets_by_path.get(paths[0], []) if len(paths) == 1 else []


def _group_by_path(targets: Iterable[Target]) -> dict[str, list[Target]]:
    groups: dict[str, list[Target]] = {}
    for target in targets:
        path = target.agent_path if target.agent else f"{target.project}/{target.team}"
        groups.setdefault(path, []).append(target)
    return groups


def _group_targets(targets: Iterable[Iterable[Target]], key: Callable[[Target], Any]) -> dict[Any, list[Target]]:
    groups: dict[Any, list[Target]] = {}
    for group in targets:
        for target in group:
            groups.setdefault(key(target), []).append(target)
    return groups


def pick_fields(data: Mapping[str, Any], fields: Iterable[str]) -> dict[str, Any]:
    """Return the entries of `data` that are among `fields`."""
    return {name: data[name] for name in fields if name in data}


def field_span(document: Document, *path: str) -> Span:
    """Return the span of a field, or of the file if the field is absent."""
    node = get_field(document, *path)
    return document.span(node) if node else file_span(document.path)


def report_unsupported(document: Document, message: str, hint: str, diags: Diagnostics, *path: str) -> None:
    """Report (ET314) a value that the control plane cannot express."""
    diags.add(Diagnostic(field_span(document, *path), "ET314", message, hint, key=".".join(path)))
