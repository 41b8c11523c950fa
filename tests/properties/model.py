"""A naive model of the whole language, from a tree of parsed files to bundles: slow, and simple enough to verify."""

import copy
import hashlib
import json
from typing import Any
from urllib.parse import urlsplit

from tests.properties.layering import (
    Layer,
    Place,
    Tree,
    environment,
    environments,
    layers,
    lineage,
    mixins_of,
    names_in,
    places,
    read,
    require_sound,
)
from tests.properties.merging import Conflict, Merger, Path, Secret, at, is_directive, literal, segments
from tests.properties.resolving import World, resolve, tainted, templates, text_of

Bundle = dict[str, Any]
Names = frozenset[str]

TYPES = ("development", "staging", "production")
EMPTY: dict[str, Any] = {
    "env_vars": {},
    "config": {},
    "endpoints": {},
    "feature_flags": {},
    "integration_ids": [],
    "mcp_servers": {},
    "working_dir": None,
}


def compile_model(tree: Tree, secrets: Tree, inputs: dict[str, str] | None = None) -> dict[str, Bundle]:
    """Compute every bundle of a tree, secrets in plain text."""
    for data in tree.values():
        require_sound(data or {})
    require_lineages(tree)
    return {place.id: bundle_of(tree, secrets, inputs or {}, place) for place in places(tree)}


def require_lineages(tree: Tree) -> None:
    """Refuse a file without an order of what it inherits or uses, whether or not a bundle has it."""
    for folder in ["", *(f"projects/{name}/" for name in names_in(tree, r"projects/([^/]+)/project\.yaml"))]:
        for name in environments(tree, folder):
            lineage(tree, folder, name)
    for path, data in tree.items():
        if (data or {}).get("uses"):
            mixins_of(tree, path.removesuffix(".yaml"))


def bundle_of(tree: Tree, secrets: Tree, inputs: dict[str, str], place: Place) -> Bundle:
    """Compute one bundle."""
    own_layers = layers(tree, secrets, place)
    world = stack(own_layers, policies(tree))
    content = merged_secrets(own_layers)
    injected = {name: injection(content, world.tree["secrets"][name]) for name in world.injected}
    final = {name: copy.deepcopy(world.tree.get(name, default)) for name, default in EMPTY.items()}
    for name in injected:
        final["env_vars"].pop(name, None)
    scope = {**scope_of(tree, inputs, place), "secrets": revealed(content)}
    texts = {name: text_of(leaf.value) for name, leaf in injected.items()}
    resolve(final, {**scope, "env_vars": texts})
    final["env_vars"].update(texts)
    require_valid(final)
    return sealed_with_digest(
        {
            **final,
            "id": place.id,
            "organization": read(tree, "organization")["name"],
            "project": place.project,
            "environment": place.environment,
            "team": place.team,
            "agent": place.agent,
            "model_id": model_id(tree, place),
            "secrets": {name: {"source": leaf.file, "path": leaf.path} for name, leaf in injected.items()},
            "sensitive": sensitive(world),
        }
    )


def canonical(bundle: Bundle) -> str:
    """Return the canonical text of a bundle."""
    return json.dumps(bundle, sort_keys=True, indent=2, ensure_ascii=False) + "\n"


def sealed_with_digest(bundle: Bundle) -> Bundle:
    """Add the digest of everything else."""
    digest = hashlib.sha256(canonical(bundle).encode()).hexdigest()
    return {**bundle, "digest": f"sha256:{digest}"}


def policies(tree: Tree) -> dict[Path, Any]:
    """Read the list policies of the organization; integration ids are a union."""
    declared = read(tree, "organization").get("merge") or {}
    return {("integration_ids",): "union", **{segments(path): policy for path, policy in declared.items()}}


def model_id(tree: Tree, place: Place) -> Any:
    """Find the model: agent × environment, agent, project, organization."""
    agent = read(tree, place.agent_stem)
    overlays = agent.get("environments") or {}
    nearest = reversed(lineage(tree, place.project_folder, place.environment))
    candidates = [(overlays.get(name) or {}).get("model_id") for name in nearest]
    candidates.append(agent.get("model_id"))
    candidates.append(read(tree, f"{place.project_folder}project").get("default_model"))
    candidates.append(read(tree, "organization").get("default_model"))
    return next((model for model in candidates if model is not None), None)


def scope_of(tree: Tree, inputs: dict[str, str], place: Place) -> dict[str, Any]:
    """Return the names that expressions can read beside the bundle's own values."""
    organization = read(tree, "organization")
    project = {"key": "DEFAULT", **read(tree, f"{place.project_folder}project")}
    chosen = environment(tree, place.project_folder, place.environment)
    own_type = type_of(tree, place.project_folder, place.environment)
    return {
        "organization": scalars(organization, organization["name"]),
        "project": scalars({**project, "key": project["key"].upper()}, place.project),
        "environment": scalars({"type": own_type, **chosen}, place.environment),
        "team": scalars(read(tree, f"{place.parent_folder}team"), place.team) if place.team else None,
        "agent": scalars(read(tree, place.agent_stem), place.agent),
        "inputs": {
            **{
                name: declared["default"]
                for name, declared in (organization.get("inputs") or {}).items()
                if "default" in declared
            },
            **inputs,
        },
    }


def type_of(tree: Tree, folder: str, name: str) -> str:
    """Return the type of the nearest ancestor that declares one or is named like one."""
    for ancestor in reversed(lineage(tree, folder, name)):
        declared = environment(tree, folder, ancestor).get("type")
        if declared or ancestor in TYPES:
            return str(declared or ancestor)
    return "development"


def scalars(data: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the scalar fields of a file, with the name from its path."""
    fields = {key: literal(value) for key, value in data.items() if not isinstance(value, dict | list)}
    return {**fields, "name": name}


# Secrets.


def merged_secrets(stack_layers: list[Layer]) -> dict[str, Any]:
    """Merge the content of every secrets file of a stack."""
    merger = Merger()
    content: dict[str, Any] = {}
    for layer in stack_layers:
        content = merger.add(content, layer.secrets)
    return content


def injection(content: dict[str, Any], dotted: str) -> Secret:
    """Return the scalar at the path of a secret."""
    leaf = at(content, segments(dotted))
    if not isinstance(leaf, Secret):
        raise Conflict(f"no secret {dotted}")
    return leaf


def revealed(value: Any) -> Any:
    """Return a value with each secret replaced by its plaintext."""
    if isinstance(value, dict):
        return {key: revealed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [revealed(item) for item in value]
    return value.value if isinstance(value, Secret) else value


def stack(stack_layers: list[Layer], declared: dict[Path, Any]) -> World:
    """Merge the sections of all layers, and decide for each name whether a secret or a plain env var wins."""
    merger = Merger(declared)
    world = World({}, frozenset())
    for layer in stack_layers:
        locks = set(merger.locks)
        if layer is not stack_layers[0]:
            merger.require_inherited(world.tree, layer.section)
        world = World(merger.add(world.tree, layer.section), world.injected)
        world = World(world.tree, winners(layer, world, locks, merger))
    require_sticky(merger.overwrites, world)
    return world


def winners(layer: Layer, world: World, locks: set[Path], merger: Merger) -> Names:
    """Return the names that secrets supply after a layer."""
    names = set(world.injected)
    listed = {name for name, _ in written(layer.section.get("secrets", {}))}
    env_vars, paths = world.tree.get("env_vars", {}), world.tree.get("secrets", {})
    for name, explicit in written(layer.section.get("env_vars", {})):
        if name in names - listed:
            require_unlocked(locks, ("secrets", name))
            if not explicit:
                merger.overwrites.append((("env_vars", name), Secret("", "", ""), env_vars[name]))
            names.discard(name)
    for name in listed - names:
        if name in env_vars:
            require_unlocked(locks, ("env_vars", name))
    return frozenset((names | listed | (set(paths) - set(env_vars))) & set(paths))


def written(section: Any, *, explicit: bool = False) -> list[tuple[str, bool]]:
    """List the names to which a layer gives a value, and whether it does so with `$replace`."""
    if is_directive(section):
        operand = section.get("$value", section.get("$replace", {}))
        return written(operand, explicit="$replace" in section)
    return [
        (name, explicit or (is_directive(value) and "$replace" in value))
        for name, value in section.items()
        if not (is_directive(value) and "$delete" in value)
    ]


def require_unlocked(locks: set[Path], path: Path) -> None:
    """Refuse to override a value that a lower layer locked."""
    if any(path[:length] in locks for length in range(1, len(path) + 1)):
        raise Conflict(f"{path} is locked")


def require_sticky(overwrites: list[tuple[Path, Any, Any]], world: World) -> None:
    """Refuse an untainted value over a tainted one, judged on the final values."""
    for path, old, new in overwrites:
        is_removed = isinstance(old, Secret) and path[1] not in world.tree.get("secrets", {})
        is_injected = path[0] == "env_vars" and path[1:2] and path[1] in world.injected
        if not is_removed and not is_injected and tainted(old, world) and not tainted(new, world):
            raise Conflict("a plain value over a secret one")


def sensitive(world: World) -> list[str]:
    """List the secret values: bare names of env vars, dotted paths of all others."""
    names = set(world.injected)
    for path, text in templates({name: world.tree.get(name, {}) for name in EMPTY}):
        is_injected = path[0] == "env_vars" and path[1] in world.injected
        if not is_injected and tainted(text, world):
            names.add(path[1] if path[0] == "env_vars" else dotted(path))
    return sorted(names)


def dotted(path: Path) -> str:
    """Join a path with dots; a segment with a dot is put in double quotes."""
    return ".".join(f'"{part}"' if "." in part else part for part in path)


# Requirements on a resolved bundle.


def require_valid(final: dict[str, Any]) -> None:
    """Check the types that are only known after resolution."""
    rules = [
        all(isinstance(url, str) and absolute(url) for url in final["endpoints"].values()),
        all(isinstance(flag, bool | int | float | str) for flag in final["feature_flags"].values()),
        all(isinstance(id, str) for id in final["integration_ids"]),
        all(sound_server(server) for server in final["mcp_servers"].values()),
        final["working_dir"] is None or isinstance(final["working_dir"], str),
    ]
    if not all(rules):
        raise Conflict("a resolved value of the wrong type")


def absolute(url: str) -> bool:
    """Report whether a text is an absolute URL."""
    parts = urlsplit(url)
    return bool(parts.scheme and parts.netloc) and " " not in url


def sound_server(server: Any) -> bool:
    """Report whether a value is a complete MCP server over stdin and stdout, the only form that is drawn."""
    texts = [server.get("command"), *server.get("args", []), *server.get("env", {}).values()]
    return all(isinstance(text, str) for text in texts)
