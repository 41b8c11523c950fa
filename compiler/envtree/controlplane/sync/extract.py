"""Extract the files of a tree from the live state; variables that all agents share go into organization.yaml.

The extractor does not know everything that the language rejects: `importable_tree` compiles the files and skips an
object whose file does not reproduce it exactly.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from envtree.controlplane.api.live_state import LiveState
from envtree.controlplane.desired import ResourceRef
from envtree.controlplane.sync.plan_model import SERVER_MANAGED
from envtree.controlplane.sync.resource_schemas import RESOURCE_SCHEMAS, ApiObject, normalize_object
from envtree.model.tree_layout import is_valid_name

_EDITION = 2026
_DEFAULT_PROJECT_KEY = "DEFAULT"
_SECTION_FIELD = "execution_environment"
_SECTION_PARTS = ("env_vars", "secrets", "integration_ids", "mcp_servers", "working_dir")
# An agent or a team is extracted for one environment only, so its own name is enough.
_NAME_PATTERNS = {"environment": "{environment}", "team": "{name}", "agent": "{name}", "workflow": "{workflow}"}


class ExtractedFile(NamedTuple):
    """A file of the tree, and the object that it describes."""

    path: str
    data: dict[str, Any]
    ref: ResourceRef


class TreeExtractor:
    """Build the files of a live state; `skipped` maps objects that are left out to the reason."""

    def __init__(self, live: LiveState, skipped: Mapping[ResourceRef, str]) -> None:
        self.skipped = dict(skipped)
        self._live = live
        self._skills = {
            str(live_object["id"]): live_object for ref, live_object in live.objects.items() if ref.kind == "skill"
        }
        self._refs = {id: ref for ref, id in live.ids_by_ref().items()}
        self._tree_paths: dict[ResourceRef, str] = {}

    def files(self) -> list[ExtractedFile]:
        """Return all files, those of the organization first."""
        singles = [
            file for kind in ("policy", "skill", "environment", "worker_queue") for file in self._single_files(kind)
        ]
        projects = list(self._project_files())
        teams = list(self._team_files())
        agents = list(self._agent_files())
        jobs = list(self._single_files("job"))
        organization = self._organization_file(agents)
        return [organization, *singles, *projects, *teams, *agents, *jobs]

    def _organization_file(self, agents: list[ExtractedFile]) -> ExtractedFile:
        ref = ResourceRef("organization", self._live.organization)
        settings = {
            name: value
            for name, value in self._explicit_fields(ref).items()
            if RESOURCE_SCHEMAS[ref.kind].fields[name] != value
        }
        shared = self._hoist_shared_variables(agents)
        section = {_SECTION_FIELD: {"env_vars": shared}} if shared else {}
        names = {"control_plane": {"names": _NAME_PATTERNS}}
        data = {"name": self._live.organization, "edition": _EDITION, **settings, **names, **section}
        return ExtractedFile("organization.yaml", data, ref)

    def _hoist_shared_variables(self, agents: list[ExtractedFile]) -> dict[str, str]:
        """Move the variables that all agents share, and that no environment sets, out of their files."""
        agent_variables = [variables.data.get(_SECTION_FIELD, {}).get("env_vars", {}) for variables in agents]
        if len(agent_variables) < 2:
            return {}
        counts = Counter((name, text) for variables in agent_variables for name, text in variables.items())
        environment_variables = {
            name for ref in self._included_refs("environment") for name in self._section(ref).get("env_vars", {})
        }
        shared = {
            name: text
            for (name, text), count in counts.items()
            if count == len(agent_variables) and name not in environment_variables
        }
        for variables in agent_variables:
            for name in shared:
                del variables[name]
        for file in agents:
            _drop_empty(file.data)
        return dict(sorted(shared.items()))

    def _single_files(self, kind: Any) -> Iterator[ExtractedFile]:
        """Yield the files of objects that are one file each, named like the object."""
        folder = {"policy": "policies", "worker_queue": "worker_queues"}.get(kind, f"{kind}s")
        used_names: set[str] = set()
        used_environments = {self._project_and_environment(ref)[1] for ref in self._included_refs("agent")}
        for ref in self._included_refs(kind):
            name = ref.name.rpartition("/")[2]
            if ref in SERVER_MANAGED and name not in used_environments:
                continue
            if not is_valid_name(name) or name in used_names:
                self.skipped[ref] = (
                    "its name is taken by another one" if name in used_names else "no file can have its name"
                )
                continue
            used_names.add(name)
            yield ExtractedFile(f"{folder}/{name}.yaml", self._single_file_data(ref), ref)

    def _single_file_data(self, ref: ResourceRef) -> dict[str, Any]:
        live_object, data = self._live.objects[ref], self._explicit_fields(ref)
        del data["name"]
        if ref.kind == "environment":
            data |= {"skill_ids": skills} if (skills := self._skill_names(live_object.get("skill_ids") or ())) else {}
            data |= {_SECTION_FIELD: section} if (section := self._section(ref)) else {}
        if ref.kind == "worker_queue":
            data = {"environment": ref.name.rpartition("/")[0], **data}
        if ref.kind == "job":
            data |= self._job_entity(live_object)
            data.pop("worker_queue_name", None)
            queue = self._refs.get(str(live_object.get("worker_queue_name")))
            data |= {"worker_queue_name": queue.name.rpartition("/")[2]} if queue else {}
        if data.get("display_name") == live_object.get("name"):
            del data["display_name"]
        return data

    def _job_entity(self, job: ApiObject) -> dict[str, Any]:
        id = job.get("entity_id")
        path = self._tree_paths.get(self._refs[id]) if id in self._refs else None
        return {"entity_id": path or id} if id else {}

    def _project_files(self) -> Iterator[ExtractedFile]:
        used_keys = {self._project_of(ref) for kind in ("team", "agent") for ref in self._included_refs(kind)}
        for ref in self._included_refs("project"):
            folder = ref.name.lower()
            if ref.name == _DEFAULT_PROJECT_KEY and _DEFAULT_PROJECT_KEY not in used_keys:
                continue
            if not is_valid_name(folder):
                self.skipped[ref] = "no folder can have its key"
                continue
            self._tree_paths[ref] = "default" if ref.name == _DEFAULT_PROJECT_KEY else folder
            data = {} if ref.name == _DEFAULT_PROJECT_KEY else self._explicit_fields(ref)
            policies = [self._name_or_id(id) for id in data.pop("policy_ids", ())]
            data |= {"policy_ids": policies} if policies else {}
            identity = {"name": self._live.objects[ref]["name"], "key": ref.name}
            yield ExtractedFile(f"projects/{self._tree_paths[ref]}/project.yaml", {**identity, **data, **identity}, ref)

    def _team_files(self) -> Iterator[ExtractedFile]:
        for ref in self._included_refs("team"):
            team = self._live.objects[ref]
            members = [
                agent
                for agent in self._included_refs("agent")
                if self._live.objects[agent].get("team_id") == team["id"]
            ]
            places = {self._project_and_environment(agent) for agent in members}
            listed_members = {self._refs.get(id) for id in (team.get("configuration") or {}).get("member_ids") or ()}
            project = self._tree_paths.get(ResourceRef("project", self._project_of(ref)))
            if len(places) != 1 or listed_members != set(members) or project is None:
                self.skipped[ref] = "its members are not in one project and one environment"
                continue
            self._tree_paths[ref] = f"{project}/{_slug(ref.name)}"
            data = self._explicit_fields(ref)
            data["configuration"] = {k: v for k, v in data.get("configuration", {}).items() if k != "member_ids"}
            data.pop("status", None)
            skills = self._skill_names(skill["id"] for skill in team.get("skills") or ())
            data |= {"skill_ids": skills} if skills else {}
            data |= {"targets": [next(iter(places))[1]]}
            yield ExtractedFile(
                f"projects/{project}/teams/{_slug(ref.name)}/team.yaml", _drop_empty(_with_label(data, ref)), ref
            )

    def _agent_files(self) -> Iterator[ExtractedFile]:
        for ref in self._included_refs("agent"):
            agent = self._live.objects[ref]
            project, environment = self._project_and_environment(ref)
            team = self._refs.get(str(agent.get("team_id")))
            parent_path = self._tree_paths.get(team) if team else self._tree_paths.get(ResourceRef("project", project))
            if not environment or parent_path is None:
                self.skipped[ref] = "it is not in one environment, one project and a team of the tree"
                continue
            data = self._explicit_fields(ref)
            for name in ("team_id", "environment_ids", _SECTION_FIELD):
                data.pop(name, None)
            data["skill_ids"] = self._skill_names(data.pop("skill_ids", ()))
            overrides = data.pop("skill_configurations", {})
            data["skill_configurations"] = {self._name_or_id(id): override for id, override in overrides.items()}
            data["targets"] = [environment]
            data[_SECTION_FIELD] = _without_inherited(
                self._section(ref), self._section(ResourceRef("environment", environment))
            )
            folder = f"projects/{parent_path.partition('/')[0]}"
            folder += f"/teams/{parent_path.partition('/')[2]}" if team else ""
            self._tree_paths[ref] = f"{parent_path}/{_slug(ref.name)}"
            yield ExtractedFile(f"{folder}/agents/{_slug(ref.name)}.yaml", _drop_empty(_with_label(data, ref)), ref)

    def _project_and_environment(self, ref: ResourceRef) -> tuple[str, str]:
        """Return the project and environment of an agent; empty where there is not exactly one."""
        environments = [environment["name"] for environment in self._live.objects[ref].get("environments") or ()]
        return self._project_of(ref), environments[0] if len(environments) == 1 else ""

    def _project_of(self, ref: ResourceRef) -> str:
        """Return the key of an agent's or team's own project, else the default one; empty if it has several."""
        keys = [
            project["key"]
            for project in self._live.objects[ref].get("projects") or ()
            if project["key"] != _DEFAULT_PROJECT_KEY
        ]
        return keys[0] if len(keys) == 1 else "" if keys else _DEFAULT_PROJECT_KEY

    def _included_refs(self, kind: Any) -> list[ResourceRef]:
        """Return the objects of a kind that are not skipped."""
        return [ref for ref in sorted(self._live.objects) if ref.kind == kind and ref not in self.skipped]

    def _explicit_fields(self, ref: ResourceRef) -> dict[str, Any]:
        """Return the fields of an object that differ from the defaults, and those that files always contain."""
        fields, schema = normalize_object(ref.kind, self._live.objects[ref], self._skills), RESOURCE_SCHEMAS[ref.kind]
        extracted = {name: fields[name] for name in schema.fields if name in fields and name != _SECTION_FIELD}
        always = ("name", "type", "trigger_type", "prompt_template", "policy_content", "planning_mode")
        return {name: value for name, value in extracted.items() if name in always or value != schema.fields[name]}

    def _section(self, ref: ResourceRef) -> dict[str, Any]:
        live_object = self._live.objects.get(ref) or {}
        section = normalize_object(ref.kind, live_object, self._skills).get(_SECTION_FIELD) or {}
        texts = {name: text for name, text in section.get("env_vars", {}).items() if name not in section["secrets"]}
        return {name: part for name, part in {**section, "env_vars": _escape_expressions(texts)}.items() if part}

    def _skill_names(self, ids: Any) -> list[str]:
        return [self._name_or_id(id) for id in ids]

    def _name_or_id(self, id: str) -> str:
        """Return the name of an object that has a file in the tree, else its id."""
        ref = self._refs.get(id)
        return ref.name if ref and ref not in self.skipped and is_valid_name(ref.name) else id


def _without_inherited(section: dict[str, Any], inherited: dict[str, Any]) -> dict[str, Any]:
    """Return an agent's section without the entries that its environment provides."""
    own: dict[str, Any] = {}
    for name, part in section.items():
        inherited_part = inherited.get(name)
        if isinstance(part, dict):
            own[name] = {key: value for key, value in part.items() if (inherited_part or {}).get(key) != value}
        elif isinstance(part, list):
            own[name] = [item for item in part if item not in (inherited_part or ())]
        else:
            own[name] = part
    inherited_secrets = set(inherited.get("secrets", ()))
    own["env_vars"] = {key: text for key, text in own.get("env_vars", {}).items() if key not in inherited_secrets}
    return {name: own[name] for name in _SECTION_PARTS if own.get(name)}


def _escape_expressions(texts: Any) -> Any:
    """Escape texts that would otherwise contain an expression of the language."""
    return {name: text.replace("${{", "$${{") if isinstance(text, str) else text for name, text in texts.items()}


def _with_label(data: dict[str, Any], ref: ResourceRef) -> dict[str, Any]:
    others = {name: value for name, value in data.items() if name != "name"}
    return others if _slug(ref.name) == ref.name else {"name": ref.name, **others}


def _drop_empty(data: dict[str, Any]) -> dict[str, Any]:
    """Remove empty maps and lists from a file's data, in place."""
    for name in [name for name, value in data.items() if value in ({}, []) and name != "targets"]:
        del data[name]
    section = data.get(_SECTION_FIELD)
    if section is not None:
        for name in [name for name, part in section.items() if not part]:
            del section[name]
        if not section:
            del data[_SECTION_FIELD]
    return data


def _slug(name: str) -> str:
    """Return a valid file name; the original name is kept as the `name` field."""
    slug = "".join(
        character if character.isascii() and (character.isalnum() or character in "_-") else "-"
        for character in name.lower()
    )
    return slug.strip("-_")[:63] or "x"
