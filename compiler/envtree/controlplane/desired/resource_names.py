"""What resources are called at the control plane, where a name has nothing around it that tells it from another."""

import re
from collections.abc import Iterable, Iterator

from envtree.controlplane.desired.desired_resource import DesiredResource, ResourceKind
from envtree.model.control_plane_settings import NamePatterns
from envtree.model.diagnostic import Diagnostic, Diagnostics, RelatedSpan
from envtree.model.layers import Target
from envtree.model.nodes import Document
from envtree.model.workspace import Workspace

# Without a team, the sign that would separate it goes with it.
_TEAM_PLACEHOLDER = re.compile(r"\{team\}[./_-]?")
# How many characters the control plane takes.
_NAME_LENGTHS: dict[ResourceKind, tuple[int, int]] = {
    "environment": (2, 100),
    "team": (1, 255),
    "agent": (1, 255),
    "skill": (1, 255),
}
_PATTERN_FIELDS = {"environment": "environment", "team": "team", "agent": "agent", "skill": "workflow"}


class ResourceNames:
    """The names by the organization's patterns."""

    def __init__(self, workspace: Workspace) -> None:
        self.patterns: NamePatterns = workspace.organization.control_plane.name_patterns
        self._keys = {project.name: str(project.fields["key"]) for project in workspace.projects}
        self._labels = dict(_iter_labels(workspace))

    @property
    def has_shared_environments(self) -> bool:
        """Whether all projects run in the same environments."""
        return not re.search(r"\{(project|key)\}", self.patterns.environment)

    def environment(self, project: str, environment: str) -> str:
        """The name of an environment, as a project has it."""
        return self._fill_pattern(self.patterns.environment, project=project, environment=environment)

    def team(self, target: Target) -> str:
        """The name of a team in an environment."""
        return self._fill_pattern(
            self.patterns.team, **target._asdict(), name=self._labels[target.project, target.team, ""]
        )

    def agent(self, target: Target) -> str:
        """The name of an agent in an environment."""
        pattern = self.patterns.agent if target.team else _TEAM_PLACEHOLDER.sub("", self.patterns.agent)
        return self._fill_pattern(
            pattern, **target._asdict(), name=self._labels[target.project, target.team, target.agent]
        )

    def workflow(self, project: str, workflow: str) -> str:
        """The name of the skill that a workflow becomes."""
        return self._fill_pattern(self.patterns.workflow, project=project, workflow=workflow)

    def _fill_pattern(self, pattern: str, *, project: str, **parts: str) -> str:
        return pattern.format_map({"project": project, "key": self._keys.get(project, ""), **parts})


def _iter_labels(workspace: Workspace) -> Iterator[tuple[tuple[str, str, str], str]]:
    """What the files of teams and agents say as their `name`, which is the path's where they say nothing."""
    for project in workspace.projects:
        for team in project.teams:
            yield (project.name, team.name, ""), _label(team.document, team.name)
            for agent in team.agents:
                yield (project.name, team.name, agent.name), _label(agent.document, agent.name)


def _label(document: Document | None, name: str) -> str:
    return str(document.root.value.get("name") or name) if document else name


def check_names(resources: Iterable[DesiredResource], diags: Diagnostics) -> None:
    """Report names that two resources would have, and those that the control plane does not take."""
    seen: dict[tuple[str, str], DesiredResource] = {}
    for one in resources:
        known: set[tuple[str, str]] = {(one.kind, one.name)}
        if one.kind == "project":
            known.add(("name of a project", str(one.body["name"])))
        for key in sorted(known):
            first = seen.setdefault(key, one)
            if first is not one:
                _report_duplicate(one, first, key, diags)
        low, high = _NAME_LENGTHS.get(one.kind, (0, len(one.name)))
        if not low <= len(one.name) <= high:
            message = f"'{one.name}' has {len(one.name)} characters, and the control plane takes {low} to {high}"
            diags.add(Diagnostic(one.origin, "ET314", message, _pattern_hint(one.kind), key="name"))


def _report_duplicate(
    duplicate: DesiredResource, first: DesiredResource, key: tuple[str, str], diags: Diagnostics
) -> None:
    what, name = key
    message = f"the control plane would have two {_plural(what)} '{name}', and each stands for the other there"
    hint = "give each a name of its own" if " " in what else _pattern_hint(duplicate.kind)
    related: tuple[RelatedSpan, ...] = (RelatedSpan(first.origin, "the other one"),)
    if duplicate.origin == first.origin:
        # It is one file, in two environments or projects.
        hint, related = f"{hint}: put what tells them apart into it", ()
    diags.add(Diagnostic(duplicate.origin, "ET313", message, hint, related, "name"))


def _plural(noun: str) -> str:
    head, _, rest = noun.partition(" ")
    return "projects named" if rest else f"{head.replace('_', ' ')}s called"


def _pattern_hint(kind: ResourceKind) -> str:
    pattern = _PATTERN_FIELDS.get(kind)
    return f"change 'control_plane.names.{pattern}' in organization.yaml" if pattern else "rename one of them"
