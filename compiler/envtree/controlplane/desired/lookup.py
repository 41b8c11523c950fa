"""What names of the tree are at the control plane: references to resources, or the ids that the tree gives itself."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from envtree.controlplane.desired.desired import Kind, Ref
from envtree.controlplane.desired.names import Names
from envtree.frontend.link.entities import UUID, Entities
from envtree.model.diagnostic import Diagnostic, Diagnostics
from envtree.model.fields import field, text
from envtree.model.layers import Target
from envtree.model.nodes import Document
from envtree.model.resource import Resources
from envtree.model.source import Kind as FileKind
from envtree.model.span import Span, whole_file
from envtree.model.workspace import Environment, Workspace


class Site(NamedTuple):
    """An environment as the control plane has it: its name there, and whose it is; no project means all of them."""

    name: str
    project: str
    environment: Environment


class Lookup:
    """All that the makers of bodies look up; `agents` and `teams` are the targets that there are, by path."""

    def __init__(
        self, workspace: Workspace, resources: Resources, agents: Iterable[Target], teams: Iterable[Target]
    ) -> None:
        self.workspace, self.resources = workspace, resources
        self.names = Names(workspace)
        self.entities = Entities(workspace)
        self.agents = _by_path(agents)
        self.teams = _by_path(teams)
        self._members = _grouped(self.agents.values(), lambda at: (at.project, at.team, at.environment))
        self._projects = _grouped((*self.agents.values(), *self.teams.values()), lambda at: at.project)
        self.sites = tuple(self._sites())

    def environment_names(self, environment: str) -> list[str]:
        """What an environment of the tree has become."""
        return [site.name for site in self.sites if site.environment.name == environment]

    def binds(self, policy: str, environment: str) -> bool:
        """Whether a policy of the tree is bound to an environment in its own file."""
        document = self.resources.document(FileKind.POLICY, policy)
        bindings = document.root.value.get("bindings") if document else None
        return any((one["entity_type"], one["entity_id"]) == ("environment", environment) for one in bindings or ())

    def named(self, kind: Kind, mention: Any) -> Ref | str:
        """A file of this tree, or an id."""
        return str(mention) if UUID.fullmatch(str(mention)) else Ref(kind, str(mention))

    def all_named(self, kind: Kind, mentions: Any) -> list[Ref | str]:
        """Each of a list."""
        return [self.named(kind, one) for one in mentions or ()]

    def configured(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """The fields about skills, with references."""
        found: dict[str, Any] = {}
        if "skill_ids" in data:
            found["skill_ids"] = self.all_named("skill", data["skill_ids"])
        if "skill_configurations" in data:
            configured = data["skill_configurations"] or {}
            found["skill_configurations"] = {self.named("skill", name): one for name, one in configured.items()}
        return found

    def ref(self, at: Target) -> Ref:
        """The resource of an agent, or of a team, in an environment."""
        return Ref("agent", self.names.agent(at)) if at.agent else Ref("team", self.names.team(at))

    def everywhere(self, kind: str, mention: str, near: str = "") -> list[Ref]:
        """An agent or a team in all of its environments."""
        return [self.ref(at) for at in self._targets(kind, mention, near)]

    def inside(self, kind: str, mention: str, environment: str, near: str = "") -> Ref | str | None:
        """An agent or a team in one environment, None where it does not run there; or an id."""
        if UUID.fullmatch(mention):
            return mention
        found = [at for at in self._targets(kind, mention, near) if at.environment == environment]
        return self.ref(found[0]) if found else None

    def members(self, team: Target) -> list[Ref]:
        """The agents of a team's folder, where the team runs."""
        return [self.ref(at) for at in self._members.get((team.project, team.team, team.environment), ())]

    def staff(self, project: str) -> list[Target]:
        """The agents and teams of a project, in all their environments."""
        return self._projects.get(project, [])

    def environments(self, kind: str, mention: str) -> list[str]:
        """Where an agent or a team runs."""
        return [at.environment for at in self._targets(kind, mention)]

    def project_of(self, kind: str, mention: str) -> str:
        """The project of an entity, an empty text for an id."""
        found = self.entities.find(mention, (kind,))
        return found[0].partition("/")[0] if len(found) == 1 else ""

    def queue_environment(self, queue: str) -> str:
        """The environment of a worker queue."""
        return text(field(self.resources.document(FileKind.WORKER_QUEUE, queue), "environment")) or ""

    def _sites(self) -> Iterator[Site]:
        """Every environment that is no abstract one."""
        shared, roots = self.names.share_environments, self.workspace.environments
        for one in roots.values() if shared else ():
            if not one.abstract:
                yield Site(self.names.environment("", one.name), "", one)
        for project in self.workspace.projects:
            for one in project.environments.values():
                is_own = one.name not in roots
                if (is_own and not one.abstract) or (not shared and one.name in project.targets):
                    yield Site(self.names.environment(project.name, one.name), project.name, one)

    def _targets(self, kind: str, mention: str, near: str = "") -> list[Target]:
        found = self.entities.find(mention, (kind,), near)
        known = self.agents if kind == "agent" else self.teams
        return known.get(found[0], []) if len(found) == 1 else []


def _by_path(targets: Iterable[Target]) -> dict[str, list[Target]]:
    found: dict[str, list[Target]] = {}
    for at in targets:
        path = at.folder_in_environment if at.agent else f"{at.project}/{at.team}"
        found.setdefault(path, []).append(at)
    return found


def _grouped(targets: Iterable[Iterable[Target]], key: Callable[[Target], Any]) -> dict[Any, list[Target]]:
    found: dict[Any, list[Target]] = {}
    for each in targets:
        for at in each:
            found.setdefault(key(at), []).append(at)
    return found


def picked(data: Mapping[str, Any], fields: Iterable[str]) -> dict[str, Any]:
    """The fields that a file has."""
    return {name: data[name] for name in fields if name in data}


def place_of(document: Document, *path: str) -> Span:
    """The place of a field, or the file."""
    node = field(document, *path)
    return document.span(node) if node else whole_file(document.path)


def refuse(document: Document, message: str, hint: str, diags: Diagnostics, *path: str) -> None:
    """Report what the control plane cannot be asked for."""
    diags.add(Diagnostic(place_of(document, *path), "ET314", message, hint, key=".".join(path)))
