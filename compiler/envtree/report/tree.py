"""The organization as data and as a drawing."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from envtree.diagnostics.summary import plural
from envtree.model.fields import get_field, get_text_scalars
from envtree.model.layers import Target
from envtree.model.workspace import Agent, Environment, Mixin, Project, Team, Workspace
from envtree.report.graph import Graph, GraphNode, NodeKey

# The kinds of entities, from the top rank down.
RANKED_NOUNS = ("organization", "project", "team", "agent")
_BRANCHES = ("├── ", "└── ", "│   ", "    ")
_ASCII_BRANCHES = ("|-- ", "`-- ", "|   ", "    ")


class DrawnBranch(NamedTuple):
    """A line of the drawing, and the branches below it."""

    label: str
    children: "Sequence[DrawnBranch]" = ()


def tree_to_json(workspace: Workspace) -> dict[str, Any]:
    """Return the tree as JSON data, as `schema/output/tree.schema.json` describes it."""
    kinds = {"policies": "policy", "skills": "skill", "worker_queues": "worker_queue", "jobs": "job"}
    return {
        "envtree": "1",
        "organization": {"name": workspace.organization.fields["name"]},
        "projects": [_project_to_json(project, workspace) for project in workspace.projects],
        "environments": [_environment_to_json(environment) for environment in workspace.environments.values()],
        "mixins": list(workspace.mixins),
        **{name: list(workspace.other_documents[kind]) for name, kind in kinds.items()},
    }


def render_tree_text(workspace: Workspace, *, ascii_only: bool) -> str:
    """Return the tree as a text drawing."""
    has_mixins = bool(workspace.mixins)
    root = DrawnBranch(
        f"{workspace.organization.fields['name']} ({_counts_phrase(workspace.projects)})",
        [
            DrawnBranch(
                "environments", [_environment_branch(environment) for environment in workspace.environments.values()]
            ),
            *([DrawnBranch("mixins", [_mixin_branch(mixin) for mixin in workspace.mixins.values()])] * has_mixins),
            *(_project_branch(project, workspace) for project in workspace.projects),
        ],
    )
    marks = _ASCII_BRANCHES if ascii_only else _BRANCHES
    return "".join(f"{line}\n" for line in (root.label, *_branch_lines(root.children, "", marks)))


def build_tree_graph(workspace: Workspace) -> Graph:
    """Return the graph of the organization: projects, teams, agents, and environments with their ancestors."""
    root: NodeKey = ("organization",)
    nodes = {root: GraphNode(workspace.organization.fields["name"], "organization", "stadium")}
    edges: list[tuple[NodeKey, NodeKey]] = []
    _add_environments("", workspace.environments, nodes, edges)
    for project in workspace.projects:
        key: NodeKey = ("project", project.name)
        nodes[key] = GraphNode(f"{project.name} {project.fields['key']}", "project", "folder")
        edges.append((root, key))
        for team in project.teams:
            parent = ("team", project.name, team.name) if team.name else key
            if team.name:
                nodes[parent] = GraphNode(team.name, "team", "round")
                edges.append((key, parent))
            for agent in team.agents:
                nodes[*parent, agent.name] = GraphNode(agent.name, "agent")
                edges.append((parent, (*parent, agent.name)))
        own_environments = {environment.name: environment for environment in _own_environments(project, workspace)}
        edges += [(key, ("environment", project.name, name)) for name in own_environments]
        _add_environments(project.name, own_environments, nodes, edges)
    return Graph(nodes, tuple(edges))


def _add_environments(
    project: str,
    environments: Mapping[str, Environment],
    nodes: dict[NodeKey, GraphNode],
    edges: list[tuple[NodeKey, NodeKey]],
) -> None:
    """Add the environments of the root, or those of a project only, which may inherit from both."""
    for name, environment in environments.items():
        key = ("environment", project, name)
        nodes[key] = GraphNode(f"abstract {name}" if environment.abstract else name, "environment", "hexagon")
        for parent in _parent_names(environment):
            edges.append((("environment", project if parent in environments else "", parent), key))


def _branch_lines(branches: Sequence[DrawnBranch], indent: str, marks: tuple[str, str, str, str]) -> Iterator[str]:
    fork, end, bar, blank = marks
    for branch in branches:
        is_last = branch is branches[-1]
        yield f"{indent}{end if is_last else fork}{branch.label}"
        yield from _branch_lines(branch.children, indent + (blank if is_last else bar), marks)


def _project_branch(project: Project, workspace: Workspace) -> DrawnBranch:
    children: list[DrawnBranch] = []
    environments = _own_environments(project, workspace)
    if environments:
        children.append(DrawnBranch("environments", [_environment_branch(environment) for environment in environments]))
    for team in project.teams:
        agents = [DrawnBranch(f"{agent.name}: {_join_targets(agent.targets)}") for agent in team.agents]
        children += [DrawnBranch(f"{team.name}/ ({_join_targets(team.targets)})", agents)] if team.name else agents
    label = f"{project.name}/ {project.fields['key']} ({_counts_phrase([project])}; {_join_targets(project.targets)})"
    return DrawnBranch(label, children)


def _environment_branch(environment: Environment) -> DrawnBranch:
    kind = "abstract" if environment.abstract else environment.type
    order = f": {' < '.join(environment.lineage)}" if len(environment.lineage) > 1 else ""
    return DrawnBranch(f"{environment.name} ({kind}){order}")


def _mixin_branch(mixin: Mixin) -> DrawnBranch:
    order = f": {' < '.join(mixin.lineage)}" if len(mixin.lineage) > 1 else ""
    return DrawnBranch(f"{mixin.name}{order}")


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
    return [environment for name, environment in project.environments.items() if name not in workspace.environments]


def _counts_phrase(projects: Sequence[Project]) -> str:
    agents = [agent for project in projects for team in project.teams for agent in team.agents]
    return f"{plural(len(agents), 'agent')}, {plural(sum(len(agent.targets) for agent in agents), 'bundle')}"
