"""The live state as files of a tree: what it can say is said, and what all agents share is said once.

A file that turns out not to say exactly what is there is left out by whoever tries it (`trial`), so nothing here has
to know all that the language refuses.
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
# An agent or a team is one resource in one environment, so its own name is enough.
_NAME_PATTERNS = {"environment": "{environment}", "team": "{name}", "agent": "{name}", "workflow": "{workflow}"}


class ExtractedFile(NamedTuple):
    """A file of the tree, and the object that it is of."""

    path: str
    data: dict[str, Any]
    ref: ResourceRef


class TreeExtractor:
    """The files of a live state; objects of `left` are left alone, each with the reason."""

    def __init__(self, live: LiveState, skipped: Mapping[ResourceRef, str]) -> None:
        self.skipped = dict(skipped)
        self._live = live
        self._skills = {str(one["id"]): one for ref, one in live.objects.items() if ref.kind == "skill"}
        self._refs = {id: ref for ref, id in live.ids_by_ref().items()}
        self._tree_paths: dict[ResourceRef, str] = {}

    def files(self) -> list[ExtractedFile]:
        """All files, those of the organization first."""
        singles = [
            file for kind in ("policy", "skill", "environment", "worker_queue") for file in self._single_files(kind)
        ]
        projects = list(self._project_files())
        teams = list(self._team_files())
        agents = list(self._agent_files())
        jobs = list(self._single_files("job"))
        head = self._organization_file(agents)
        return [head, *singles, *projects, *teams, *agents, *jobs]

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
        head = {"name": self._live.organization, "edition": _EDITION, **settings, **names, **section}
        return ExtractedFile("organization.yaml", head, ref)

    def _hoist_shared_variables(self, agents: list[ExtractedFile]) -> dict[str, str]:
        """The variables that all agents have with one value, and that no environment would set otherwise."""
        found = [one.data.get(_SECTION_FIELD, {}).get("env_vars", {}) for one in agents]
        if len(found) < 2:
            return {}
        counts = Counter((name, text) for one in found for name, text in one.items())
        set_below = {
            name for ref in self._included_refs("environment") for name in self._section(ref).get("env_vars", {})
        }
        shared = {name: text for (name, text), count in counts.items() if count == len(found) and name not in set_below}
        for one in found:
            for name in shared:
                del one[name]
        for file in agents:
            _drop_empty(file.data)
        return dict(sorted(shared.items()))

    def _single_files(self, kind: Any) -> Iterator[ExtractedFile]:
        """Objects that are a file each, called as they are."""
        folder = {"policy": "policies", "worker_queue": "worker_queues"}.get(kind, f"{kind}s")
        seen: set[str] = set()
        used = {self._project_and_environment(ref)[1] for ref in self._included_refs("agent")}
        for ref in self._included_refs(kind):
            name = ref.name.rpartition("/")[2]
            if ref in SERVER_MANAGED and name not in used:
                continue
            if not is_valid_name(name) or name in seen:
                self.skipped[ref] = "its name is taken by another one" if name in seen else "no file can have its name"
                continue
            seen.add(name)
            yield ExtractedFile(f"{folder}/{name}.yaml", self._single_file_data(ref), ref)

    def _single_file_data(self, ref: ResourceRef) -> dict[str, Any]:
        found, data = self._live.objects[ref], self._explicit_fields(ref)
        del data["name"]
        if ref.kind == "environment":
            data |= {"skill_ids": skills} if (skills := self._skill_names(found.get("skill_ids") or ())) else {}
            data |= {_SECTION_FIELD: section} if (section := self._section(ref)) else {}
        if ref.kind == "worker_queue":
            data = {"environment": ref.name.rpartition("/")[0], **data}
        if ref.kind == "job":
            data |= self._job_entity(found)
            data.pop("worker_queue_name", None)
            queue = self._refs.get(str(found.get("worker_queue_name")))
            data |= {"worker_queue_name": queue.name.rpartition("/")[2]} if queue else {}
        if data.get("display_name") == found.get("name"):
            del data["display_name"]
        return data

    def _job_entity(self, job: ApiObject) -> dict[str, Any]:
        id = job.get("entity_id")
        home = self._tree_paths.get(self._refs[id]) if id in self._refs else None
        return {"entity_id": home or id} if id else {}

    def _project_files(self) -> Iterator[ExtractedFile]:
        used = {self._project_of(ref) for kind in ("team", "agent") for ref in self._included_refs(kind)}
        for ref in self._included_refs("project"):
            folder = ref.name.lower()
            if ref.name == _DEFAULT_PROJECT_KEY and _DEFAULT_PROJECT_KEY not in used:
                continue
            if not is_valid_name(folder):
                self.skipped[ref] = "no folder can have its key"
                continue
            self._tree_paths[ref] = "default" if ref.name == _DEFAULT_PROJECT_KEY else folder
            data = {} if ref.name == _DEFAULT_PROJECT_KEY else self._explicit_fields(ref)
            policies = [self._name_or_id(id) for id in data.pop("policy_ids", ())]
            data |= {"policy_ids": policies} if policies else {}
            own = {"name": self._live.objects[ref]["name"], "key": ref.name}
            yield ExtractedFile(f"projects/{self._tree_paths[ref]}/project.yaml", {**own, **data, **own}, ref)

    def _team_files(self) -> Iterator[ExtractedFile]:
        for ref in self._included_refs("team"):
            found = self._live.objects[ref]
            members = [
                one for one in self._included_refs("agent") if self._live.objects[one].get("team_id") == found["id"]
            ]
            places = {self._project_and_environment(one) for one in members}
            named = {self._refs.get(id) for id in (found.get("configuration") or {}).get("member_ids") or ()}
            project = self._tree_paths.get(ResourceRef("project", self._project_of(ref)))
            if len(places) != 1 or named != set(members) or project is None:
                self.skipped[ref] = "its members are not in one project and one environment"
                continue
            self._tree_paths[ref] = f"{project}/{_slug(ref.name)}"
            data = self._explicit_fields(ref)
            data["configuration"] = {k: v for k, v in data.get("configuration", {}).items() if k != "member_ids"}
            data.pop("status", None)
            skills = self._skill_names(one["id"] for one in found.get("skills") or ())
            data |= {"skill_ids": skills} if skills else {}
            data |= {"targets": [next(iter(places))[1]]}
            yield ExtractedFile(
                f"projects/{project}/teams/{_slug(ref.name)}/team.yaml", _drop_empty(_with_label(data, ref)), ref
            )

    def _agent_files(self) -> Iterator[ExtractedFile]:
        for ref in self._included_refs("agent"):
            found = self._live.objects[ref]
            project, environment = self._project_and_environment(ref)
            team = self._refs.get(str(found.get("team_id")))
            home = self._tree_paths.get(team) if team else self._tree_paths.get(ResourceRef("project", project))
            if not environment or home is None:
                self.skipped[ref] = "it is not in one environment, one project and a team of the tree"
                continue
            data = self._explicit_fields(ref)
            for name in ("team_id", "environment_ids", _SECTION_FIELD):
                data.pop(name, None)
            data["skill_ids"] = self._skill_names(data.pop("skill_ids", ()))
            said = data.pop("skill_configurations", {})
            data["skill_configurations"] = {self._name_or_id(id): one for id, one in said.items()}
            data["targets"] = [environment]
            data[_SECTION_FIELD] = _without_inherited(
                self._section(ref), self._section(ResourceRef("environment", environment))
            )
            folder = f"projects/{home.partition('/')[0]}"
            folder += f"/teams/{home.partition('/')[2]}" if team else ""
            self._tree_paths[ref] = f"{home}/{_slug(ref.name)}"
            yield ExtractedFile(f"{folder}/agents/{_slug(ref.name)}.yaml", _drop_empty(_with_label(data, ref)), ref)

    def _project_and_environment(self, ref: ResourceRef) -> tuple[str, str]:
        """The project and the environment of an agent; empty where there is not exactly one."""
        environments = [one["name"] for one in self._live.objects[ref].get("environments") or ()]
        return self._project_of(ref), environments[0] if len(environments) == 1 else ""

    def _project_of(self, ref: ResourceRef) -> str:
        """The key of the project that an agent or a team is in, beside the one that all are in."""
        keys = [
            one["key"] for one in self._live.objects[ref].get("projects") or () if one["key"] != _DEFAULT_PROJECT_KEY
        ]
        return keys[0] if len(keys) == 1 else "" if keys else _DEFAULT_PROJECT_KEY

    def _included_refs(self, kind: Any) -> list[ResourceRef]:
        """The objects of a kind that are not left alone."""
        return [ref for ref in sorted(self._live.objects) if ref.kind == kind and ref not in self.skipped]

    def _explicit_fields(self, ref: ResourceRef) -> dict[str, Any]:
        """What an object says that is not what one would have anyway."""
        found, shape = normalize_object(ref.kind, self._live.objects[ref], self._skills), RESOURCE_SCHEMAS[ref.kind]
        kept = {name: found[name] for name in shape.fields if name in found and name != _SECTION_FIELD}
        always = ("name", "type", "trigger_type", "prompt_template", "policy_content", "planning_mode")
        return {name: value for name, value in kept.items() if name in always or value != shape.fields[name]}

    def _section(self, ref: ResourceRef) -> dict[str, Any]:
        found = self._live.objects.get(ref) or {}
        plain = normalize_object(ref.kind, found, self._skills).get(_SECTION_FIELD) or {}
        texts = {name: text for name, text in plain.get("env_vars", {}).items() if name not in plain["secrets"]}
        return {name: part for name, part in {**plain, "env_vars": _escape_expressions(texts)}.items() if part}

    def _skill_names(self, ids: Any) -> list[str]:
        return [self._name_or_id(id) for id in ids]

    def _name_or_id(self, id: str) -> str:
        """A file of the tree, or the id."""
        ref = self._refs.get(id)
        return ref.name if ref and ref not in self.skipped and is_valid_name(ref.name) else id


def _without_inherited(section: dict[str, Any], inherited: dict[str, Any]) -> dict[str, Any]:
    """What of an agent's section its environment does not give it already."""
    found: dict[str, Any] = {}
    for name, part in section.items():
        under = inherited.get(name)
        if isinstance(part, dict):
            found[name] = {key: value for key, value in part.items() if (under or {}).get(key) != value}
        elif isinstance(part, list):
            found[name] = [one for one in part if one not in (under or ())]
        else:
            found[name] = part
    hidden = set(inherited.get("secrets", ()))
    found["env_vars"] = {key: text for key, text in found.get("env_vars", {}).items() if key not in hidden}
    return {name: found[name] for name in _SECTION_PARTS if found.get(name)}


def _escape_expressions(texts: Any) -> Any:
    """Texts in which an expression of ours would stand, as texts."""
    return {name: text.replace("${{", "$${{") for name, text in texts.items()}


def _with_label(data: dict[str, Any], ref: ResourceRef) -> dict[str, Any]:
    rest = {name: value for name, value in data.items() if name != "name"}
    return rest if _slug(ref.name) == ref.name else {"name": ref.name, **rest}


def _drop_empty(data: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is empty."""
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
    """A name that a file can have; it is the label that counts."""
    kept = "".join(one if one.isascii() and (one.isalnum() or one in "_-") else "-" for one in name.lower())
    return kept.strip("-_")[:63] or "x"
