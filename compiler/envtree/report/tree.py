"""The organization as it stands: as data, and as a drawing."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from envtree.diagnostics.summary import plural
from envtree.model.fields import get_field, get_text_scalars
from envtree.model.layers import Target
from envtree.model.workspace import Agent, Environment, Project, Team, Workspace
from envtree.report.graph import Graph, GraphNode, NodeKey

# What stands over what, for a drawing in ranks.
RANKED_NOUNS = ("organization", "project", "team", "agent")
_BRANCHES = ("├── ", "└── ", "│   ", "    ")
_ASCII_BRANCHES = ("|-- ", "`-- ", "|   ", "    ")


class DrawnBranch(NamedTuple):
    """A line of the drawing and what hangs below it."""

    label: str
    children: "Sequence[DrawnBranch]" = ()


def tree_to_json(workspace: Workspace) -> dict[str, Any]:
    """The tree as JSON data, as `schema/output/tree.schema.json` describes it."""
    kinds = {"policies": "policy", "skills": "skill", "worker_queues": "worker_queue", "jobs": "job"}
    return {
        "envtree": "1",
        "organization": {"name": workspace.organization.fields["name"]},
        "projects": [_project_to_json(project, workspace) for project in workspace.projects],
        "environments": [_environment_to_json(one) for one in workspace.environments.values()],
        **{name: list(workspace.other_documents[kind]) for name, kind in kinds.items()},
    }


def render_tree_text(workspace: Workspace, *, ascii_only: bool) -> str:
    """The tree as lines for people."""
    root = DrawnBranch(
        f"{workspace.organization.fields['name']} ({_counts_phrase(workspace.projects)})",
        [
            DrawnBranch("environments", [_environment_branch(one) for one in workspace.environments.values()]),
            *(_project_branch(project, workspace) for project in workspace.projects),
        ],
    )
    marks = _ASCII_BRANCHES if ascii_only else _BRANCHES
    return "".join(f"{line}\n" for line in (root.label, *_branch_lines(root.children, "", marks)))


def build_tree_graph(workspace: Workspace) -> Graph:
    """The organization, its projects, teams and agents, and the environments with what they inherit."""
    top: NodeKey = ("organization",)
    nodes = {top: GraphNode(workspace.organization.fields["name"], "organization", "stadium")}
    arrows: list[tuple[NodeKey, NodeKey]] = []
    _add_environments("", workspace.environments, nodes, arrows)
    for project in workspace.projects:
        key: NodeKey = ("project", project.name)
        nodes[key] = GraphNode(f"{project.name} {project.fields['key']}", "project", "folder")
        arrows.append((top, key))
        for team in project.teams:
            home = ("team", project.name, team.name) if team.name else key
            if team.name:
                nodes[home] = GraphNode(team.name, "team", "round")
                arrows.append((key, home))
            for agent in team.agents:
                nodes[*home, agent.name] = GraphNode(agent.name, "agent")
                arrows.append((home, (*home, agent.name)))
        own = {one.name: one for one in _own_environments(project, workspace)}
        arrows += [(key, ("environment", project.name, name)) for name in own]
        _add_environments(project.name, own, nodes, arrows)
    return Graph(nodes, tuple(arrows))


def _add_environments(
    project: str, own: Mapping[str, Environment], nodes: dict[NodeKey, GraphNode], arrows: list[tuple[NodeKey, NodeKey]]
) -> None:
    """The environments of the root, or those of a project only, which may inherit from both."""
    for name, environment in own.items():
        key = ("environment", project, name)
        nodes[key] = GraphNode(f"abstract {name}" if environment.abstract else name, "environment", "hexagon")
        for parent in _parent_names(environment):
            arrows.append((("environment", project if parent in own else "", parent), key))


def _branch_lines(branches: Sequence[DrawnBranch], indent: str, marks: tuple[str, str, str, str]) -> Iterator[str]:
    fork, end, bar, blank = marks
    for branch in branches:
        last = branch is branches[-1]
        yield f"{indent}{end if last else fork}{branch.label}"
        yield from _branch_lines(branch.children, indent + (blank if last else bar), marks)


def _project_branch(project: Project, workspace: Workspace) -> DrawnBranch:
    children: list[DrawnBranch] = []
    own = _own_environments(project, workspace)
    if own:
        children.append(DrawnBranch("environments", [_environment_branch(one) for one in own]))
    for team in project.teams:
        agents = [DrawnBranch(f"{agent.name}: {_join_targets(agent.targets)}") for agent in team.agents]
        children += [DrawnBranch(f"{team.name}/ ({_join_targets(team.targets)})", agents)] if team.name else agents
    label = f"{project.name}/ {project.fields['key']} ({_counts_phrase([project])}; {_join_targets(project.targets)})"
    return DrawnBranch(label, children)


def _environment_branch(environment: Environment) -> DrawnBranch:
    kind = "abstract" if environment.abstract else environment.type
    order = f": {' < '.join(environment.lineage)}" if len(environment.lineage) > 1 else ""
    return DrawnBranch(f"{environment.name} ({kind}){order}")


def _join_targets(names: Sequence[str]) -> str:
    return ", ".join(names) or "no target"


def _project_to_json(project: Project, workspace: Workspace) -> dict[str, Any]:
    return {
        "name": project.name,
        "key": project.fields["key"],
        "targets": list(project.targets),
        "teams": [
            {"name": team.name, "targets": list(team.targets), "agents": _agents_to_json(project, team)}
            for team in project.teams
            if team.name
        ],
        "agents": [agent for team in project.teams if not team.name for agent in _agents_to_json(project, team)],
        "workflows": list(project.workflows),
        "environments": [environment.name for environment in _own_environments(project, workspace)],
    }


def _agents_to_json(project: Project, team: Team) -> list[dict[str, Any]]:
    return [
        {"name": agent.name, "targets": list(agent.targets), "bundles": _bundle_ids(project, team, agent)}
        for agent in team.agents
    ]


def _bundle_ids(project: Project, team: Team, agent: Agent) -> list[str]:
    return [Target(project.name, team.name, agent.name, environment).id for environment in agent.targets]


def _environment_to_json(environment: Environment) -> dict[str, Any]:
    return {
        "name": environment.name,
        "type": environment.type,
        "abstract": environment.abstract,
        "inherits": _parent_names(environment),
    }


def _parent_names(environment: Environment) -> list[str]:
    return [str(parent.value) for parent in get_text_scalars(get_field(environment.document, "inherits"))]


def _own_environments(project: Project, workspace: Workspace) -> list[Environment]:
    return [one for name, one in project.environments.items() if name not in workspace.environments]


def _counts_phrase(projects: Sequence[Project]) -> str:
    agents = [agent for project in projects for team in project.teams for agent in team.agents]
    return f"{plural(len(agents), 'agent')}, {plural(sum(len(agent.targets) for agent in agents), 'bundle')}"
