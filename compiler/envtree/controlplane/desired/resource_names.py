"""Names of resources at the control plane, where a name must be unique without the folders around it."""

import re
from collections.abc import Iterable, Iterator

from envtree.controlplane.desired.desired_resource import DesiredResource, ResourceKind
from envtree.model.control_plane_settings import NamePatterns
from envtree.model.diagnostic import Diagnostic, Diagnostics, RelatedSpan
from envtree.model.layers import Target
from envtree.model.nodes import Document
from envtree.model.workspace import Workspace

# An agent without a team also drops the separator after the placeholder.
_TEAM_PLACEHOLDER = re.compile(r"\{team\}[./_-]?")
# The lengths of names that the control plane accepts.
_NAME_LENGTHS: dict[ResourceKind, tuple[int, int]] = {
    "environment": (2, 100),
    "team": (1, 255),
    "agent": (1, 255),
    "skill": (1, 255),
}
_PATTERN_FIELDS = {"environment": "environment", "team": "team", "agent": "agent", "skill": "workflow"}


class ResourceNames:
    """Names according to the organization's patterns."""

    def __init__(self, workspace: Workspace) -> None:
        self.patterns: NamePatterns = workspace.organization.control_plane.name_patterns
        self._keys = {project.name: str(project.fields["key"]) for project in workspace.projects}
        self._labels = dict(_iter_labels(workspace))

    @property
    def has_shared_environments(self) -> bool:
        """Whether all projects share the same environments."""
        return not re.search(r"\{(project|key)\}", self.patterns.environment)

    def environment(self, project: str, environment: str) -> str:
        """Return the name of an environment in a project."""
        return self._fill_pattern(self.patterns.environment, project=project, environment=environment)

    def team(self, target: Target) -> str:
        """Return the name of a team in an environment."""
        return self._fill_pattern(
            self.patterns.team, **target._asdict(), name=self._labels[target.project, target.team, ""]
        )

    def agent(self, target: Target) -> str:
        """Return the name of an agent in an environment."""
        pattern = self.patterns.agent if target.team else _TEAM_PLACEHOLDER.sub("", self.patterns.agent)
        return self._fill_pattern(
            pattern, **target._asdict(), name=self._labels[target.project, target.team, target.agent]
        )

    def workflow(self, project: str, workflow: str) -> str:
        """Return the name of the skill that a workflow becomes."""
        return self._fill_pattern(self.patterns.workflow, project=project, workflow=workflow)

    def _fill_pattern(self, pattern: str, *, project: str, **parts: str) -> str:
        return pattern.format_map({"project": project, "key": self._keys.get(project, ""), **parts})


def _iter_labels(workspace: Workspace) -> Iterator[tuple[tuple[str, str, str], str]]:
    """Yield the `name` fields of teams and agents, with the path's name as the default."""
    for project in workspace.projects:
        for team in project.teams:
            yield (project.name, team.name, ""), _label(team.document, team.name)
            for agent in team.agents:
                yield (project.name, team.name, agent.name), _label(agent.document, agent.name)


def _label(document: Document | None, name: str) -> str:
    return str(document.root.value.get("name") or name) if document else name


def check_names(resources: Iterable[DesiredResource], diags: Diagnostics) -> None:
    """Report names that two resources share, and names that the control plane rejects."""
    first_by_key: dict[tuple[str, str], DesiredResource] = {}
    for resource in resources:
        keys: set[tuple[str, str]] = {(resource.kind, resource.name)}
        if resource.kind == "project":
            keys.add(("name of a project", str(resource.body["name"])))
        for key in sorted(keys):
            first = first_by_key.setdefault(key, resource)
            if first is not resource:
                _report_duplicate(resource, first, key, diags)
        length = len(resource.name)
        shortest, longest = _NAME_LENGTHS.get(resource.kind, (0, length))
        if not shortest <= length <= longest:
            message = f"'{resource.name}' has {length} characters, and the control plane takes {shortest} to {longest}"
            diags.add(Diagnostic(resource.origin, "ET314", message, _pattern_hint(resource.kind), key="name"))


def _report_duplicate(
    duplicate: DesiredResource, first: DesiredResource, key: tuple[str, str], diags: Diagnostics
) -> None:
    noun, name = key
    message = f"the control plane would have two {_plural(noun)} '{name}', and each stands for the other there"
    hint = "give each a name of its own" if " " in noun else _pattern_hint(duplicate.kind)
    related: tuple[RelatedSpan, ...] = (RelatedSpan(first.origin, "the other one"),)
    if duplicate.origin == first.origin:
        # One file yields both, in two environments or projects.
        hint, related = f"{hint}: put what tells them apart into it", ()
    diags.add(Diagnostic(duplicate.origin, "ET313", message, hint, related, "name"))


def _plural(noun: str) -> str:
    head, _, rest = noun.partition(" ")
    return "projects named" if rest else f"{head.replace('_', ' ')}s called"


def _pattern_hint(kind: ResourceKind) -> str:
    pattern = _PATTERN_FIELDS.get(kind)
    return f"change 'control_plane.names.{pattern}' in organization.yaml" if pattern else "rename one of them"
