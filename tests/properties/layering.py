"""The pairs of agents and environments, and the layers of each pair: naive, for the model only."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.properties.merging import Conflict, Secret, is_directive, literal
from tests.properties.resolving import text_of

Tree = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """One agent in one environment, and the folders that lead to it."""

    project: str
    team: str | None
    agent: str
    environment: str
    project_folder: str
    parent_folder: str

    @property
    def agent_stem(self) -> str:
        """The path of the agent's file without its extension."""
        return f"{self.parent_folder}agents/{self.agent}"

    @property
    def id(self) -> str:
        """The bundle's id."""
        names = [self.project, self.team, self.agent]
        return "/".join(name for name in names if name) + f"@{self.environment}"


@dataclass(frozen=True)
class Layer:
    """A section of the tree, and the secrets beside it."""

    section: dict[str, Any]
    secrets: dict[str, Any]


def names_in(tree: Tree, pattern: str) -> list[str]:
    """List the texts that the group in a pattern of paths matches."""
    return sorted({match[1] for path in tree if (match := re.fullmatch(pattern, path))})


def read(tree: Tree, stem: str) -> dict[str, Any]:
    """Read a file by its path without the extension; a missing file counts as empty."""
    return tree.get(f"{stem}.yaml") or {}


# Linking: the environments of each agent.


def places(tree: Tree) -> list[Place]:
    """List every (agent, environment) pair."""
    pairs = []
    for project in names_in(tree, r"projects/([^/]+)/project\.yaml"):
        pairs += project_places(tree, project, f"projects/{project}/")
    if not any(path.startswith("projects/") for path in tree):
        pairs += project_places(tree, "default", "")
    return pairs


def project_places(tree: Tree, project: str, folder: str) -> list[Place]:
    """List the pairs of one project."""
    everywhere = [e for e in environments(tree, folder) if not environment(tree, folder, e).get("abstract")]
    runs_in = narrowed(everywhere, read(tree, f"{folder}project"))
    pairs = []
    teams = names_in(tree, re.escape(folder) + r"teams/([^/]+)/team\.yaml")
    parents = [(None, folder)] + [(team, f"{folder}teams/{team}/") for team in teams]
    for team, parent in parents:
        team_runs_in = narrowed(runs_in, read(tree, f"{parent}team")) if team else runs_in
        for agent in names_in(tree, re.escape(parent) + r"agents/([^/.]+)\.yaml"):
            for name in narrowed(team_runs_in, read(tree, f"{parent}agents/{agent}")):
                pairs.append(Place(project, team, agent, name, folder, parent))
    for place in pairs:
        require_known_overlays(tree, place)
    return pairs


def environments(tree: Tree, folder: str) -> list[str]:
    """List the environments that a project sees: those at the root and its own."""
    root = names_in(tree, r"environments/([^/.]+)\.yaml")
    own = names_in(tree, re.escape(folder) + r"environments/([^/.]+)\.yaml")
    return sorted({*root, *own})


def environment_stem(tree: Tree, folder: str, name: str) -> str:
    """Return the stem of the file that declares an environment."""
    return f"environments/{name}" if f"environments/{name}.yaml" in tree else f"{folder}environments/{name}"


def environment(tree: Tree, folder: str, name: str) -> dict[str, Any]:
    """Read an environment's own file."""
    return read(tree, environment_stem(tree, folder, name))


def narrowed(allowed: list[str], data: dict[str, Any]) -> list[str]:
    """Apply `targets`, which may only narrow."""
    targets = data.get("targets")
    if targets is None:
        return allowed
    if not set(targets) <= set(allowed):
        raise Conflict("targets wider than the level above")
    return list(targets)


def require_known_overlays(tree: Tree, place: Place) -> None:
    """Refuse overlays of environments that are not declared."""
    declared = environments(tree, place.project_folder)
    root = environments(tree, "")
    for name in declared:
        stem = f"{place.project_folder}environments/{name}"
        if place.project_folder and f"{stem}.yaml" in tree and bool(read(tree, stem).get("own")) is (name in root):
            raise Conflict("a project's environment says `own: true`, and an overlay does not")
    overlaid = names_in(tree, re.escape(place.parent_folder) + r"environments/([^/.]+)\.yaml")
    if not {*overlaid, *(read(tree, place.agent_stem).get("environments") or {})} <= set(declared):
        raise Conflict("an overlay of an unknown environment")


def lineage(tree: Tree, folder: str, name: str) -> list[str]:
    """List an environment and its ancestors, the remotest first."""

    def parents_of(ancestor: str) -> list[str]:
        if ancestor not in environments(tree, folder):
            raise Conflict(f"no environment {ancestor}")
        return listed(environment(tree, folder, ancestor).get("inherits"))

    return linear(name, parents_of)


def mixins_of(tree: Tree, user: str) -> list[str]:
    """List the mix-ins of an entity by its path without extension, the lowest first."""

    def parents_of(name: str) -> list[str]:
        if name and f"mixins/{name}.yaml" not in tree:
            raise Conflict(f"no mix-in {name}")
        return listed(read(tree, f"mixins/{name}" if name else user).get("uses"))

    return linear("", parents_of)[:-1]


def linear(name: str, parents_of: Callable[[str], list[str]]) -> list[str]:
    """Linearise a name and its ancestors, the remotest first, by Python's own C3 order."""
    classes: dict[str, type] = {}

    def declare(ancestor: str, below: tuple[str, ...]) -> type:
        if ancestor in below:
            raise Conflict(f"{ancestor} inherits itself")
        if ancestor not in classes:
            parents = tuple(declare(parent, (*below, ancestor)) for parent in parents_of(ancestor))
            classes[ancestor] = type(ancestor, parents, {})
        return classes[ancestor]

    try:
        order = declare(name, ()).__mro__
    except TypeError as error:
        raise Conflict(f"no order of the ancestors of {name}") from error
    return [cls.__name__ for cls in reversed(order) if cls is not object]


def listed(names: Any) -> list[str]:
    """Return a list of names; one name counts as a list of one."""
    return [names] if isinstance(names, str) else list(names or [])


# Layers.


def layers(tree: Tree, secrets: Tree, place: Place) -> list[Layer]:
    """List the layers of a bundle, lowest first."""
    project, parent, agent = place.project_folder, place.parent_folder, place.agent_stem
    order = lineage(tree, project, place.environment)
    at_root = [name for name in order if project and f"environments/{name}.yaml" in tree]
    team = f"{parent}team" if place.team else ""
    brought: list[str] = []
    new = {}
    for user in filter(None, (f"{project}project", team, agent)):
        used = [name for name in mixins_of(tree, user) if name not in brought]
        brought += used
        new[user] = [f"mixins/{name}" for name in used]

    def from_files(*stems: str) -> list[Layer]:
        return [layer(read(tree, stem), secrets, stem) for stem in stems]

    def from_overlays(*stems: str) -> list[Layer]:
        overlays = [
            (stem, name, (read(tree, stem).get("environments") or {}).get(name)) for stem in stems for name in order
        ]
        return [layer(overlay or {}, secrets, f"{stem}.{name}") for stem, name, overlay in overlays]

    result = from_files("organization", *new[f"{project}project"], f"{project}project")
    result += from_files(*(environment_stem(tree, project, name) for name in order))
    result += from_overlays(*new[f"{project}project"])
    result += from_files(*(f"{project}environments/{name}" for name in at_root))
    if team:
        result += from_files(*new[team], team)
        result += from_overlays(*new[team])
        result += from_files(*(f"{parent}environments/{name}" for name in order))
    result += from_files(*new[agent], agent)
    return result + from_overlays(*new[agent], agent)


def layer(data: dict[str, Any], secrets: Tree, stem: str) -> Layer:
    """Normalise a file and the secrets beside it."""
    file = f"{stem}.secrets.yaml"
    content = {key: value for key, value in (secrets.get(file) or {}).items() if key != "_scope"}
    return Layer(normalised(data.get("execution_environment") or {}), marked(content, file))


def normalised(section: dict[str, Any]) -> dict[str, Any]:
    """Make env vars text, and a list of secrets a map."""
    result = dict(section)
    if "env_vars" in section:
        result["env_vars"] = env_text(section["env_vars"])
    if "secrets" in section:
        result["secrets"] = secrets_map(section["secrets"])
    return result


def env_text(value: Any) -> Any:
    """Make every scalar of `env_vars` text as it is written, inside directives too."""
    if isinstance(value, dict):
        return {key: True if key in ("$lock", "$delete") else env_text(item) for key, item in value.items()}
    return text_of(value)


def secrets_map(value: Any) -> Any:
    """Write `[A]` as `{A: A}`, inside `$value` and `$replace` too."""
    if isinstance(value, list):
        return {name: name for name in value}
    return {key: secrets_map(item) if key in ("$value", "$replace") else item for key, item in value.items()}


def marked(value: Any, file: str, path: tuple[str, ...] = ()) -> Any:
    """Mark every decrypted scalar with its place; the operands of `$lock`, `$delete` and `$expect` are no secrets."""
    if isinstance(value, dict):
        return {
            key: item if key in ("$lock", "$delete", "$expect") else marked(item, file, (*path, key))
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [marked(item, file, (*path, str(n))) for n, item in enumerate(value)]
    return Secret(literal(value), file, ".".join(path))


def require_sound(data: dict[str, Any]) -> None:
    """Refuse data that violates the schema of every file."""
    overlays = (data.get("environments") or {}).values()
    for part in [data, *overlays]:
        section = (part or {}).get("execution_environment") or {}
        if is_directive(section):
            raise Conflict("a directive on execution_environment itself")
        require_scalars(section.get("env_vars") or {})


def require_scalars(env_vars: dict[str, Any]) -> None:
    """Refuse null and collections among env vars."""
    for key, written in env_vars.items():
        if key in ("$value", "$replace"):
            require_scalars(written)
            continue
        value = written.get("$value", written.get("$replace", True)) if is_directive(written) else written
        if literal(value) is None or isinstance(value, dict | list):
            raise Conflict(f"env var {key} is no scalar")
