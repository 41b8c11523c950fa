"""Answers of a server on loopback with missing fields, or with fields of other types than a control plane's."""

import copy
import itertools
import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from envtree.controlplane.api.api_config import ApiKey
from envtree.controlplane.api.client import ApiError, ApiResponse, Client
from envtree.controlplane.api.live_state import read_live_state
from envtree.controlplane.sync.extract import TreeExtractor
from envtree.controlplane.sync.managed_ids import ManagedIds
from envtree.controlplane.sync.plan import make_plan, select_drift
from envtree.controlplane.sync.plan_file import SavedPlan, encode_plan
from envtree.controlplane.sync.tree_file_text import render_tree_file
from envtree.controlplane.sync.vault_secrets import fetch_secrets
from envtree.model.diagnostic import MachineError, RefusedError
from tests.support.command_line import CommandResult, write_files
from tests.support.control_plane import KEY, ControlPlane, serve_control_plane
from tests.support.secrets_tree import SecretsTree, make_secrets_tree, organization_with_people


def full_plane(plane: ControlPlane) -> None:
    """Add objects with all fields that envtree reads, some of them owned by the tree."""
    section = {"env_vars": {"A": "b"}, "secrets": ["S"], "integration_ids": ["i"], "mcp_servers": {"m": {"url": "u"}}}
    marker = {"envtree": {"owner": "acme", "sent": {"settings": "0" * 16}}}
    text_marker = f"envtree:acme:ff:{'0' * 16}"
    texts = {"description": "d", "display_name": "n", "tags": ["t"]}
    skill = plane.add("skills", name="sh", type="shell", configuration={"timeout": 1}, description=f"d [{text_marker}]")
    used = {"id": skill["id"], "name": "sh", "configuration": {"timeout": 2}}
    environment = plane.add(
        "environments",
        name="production",
        settings=marker,
        skill_ids=[skill["id"]],
        skills=[used],
        execution_environment=section,
        **texts,
    )
    project = plane.add("projects", name="p", key="PP", settings=marker, policy_ids=["x"], goals="g")
    queue = plane.add("worker-queues", name="qu", environment_id=environment["id"], settings=marker, **texts)
    owners = {"projects": [{"id": project["id"], "key": "PP"}], "skills": [used], "skill_ids": [skill["id"]]}
    team = plane.add("teams", name="t", configuration={"member_ids": [], "metadata": marker}, **owners)
    agent = plane.add(
        "agents",
        name="clerk",
        model_id="m/m",
        team_id=team["id"],
        configuration=marker,
        execution_environment=section,
        environments=[{"id": environment["id"], "name": "production"}],
        **owners,
    )
    team["configuration"]["member_ids"] = [agent["id"]]
    plane.add(
        "jobs",
        name="j",
        trigger_type="cron",
        cron_schedule="0 0 * * *",
        entity_id=agent["id"],
        entity_type="agent",
        worker_queue_name=queue["id"],
        config=marker,
        execution_environment=section,
        prompt_template="p",
        **owners,
    )
    plane.objects["/policies"] = plane.policies
    plane.policies.append({"id": "5", "name": "o", "policy_content": "package o", "tags": [text_marker, "x"]})


def paths_of(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of each part of a value, the deepest last."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in items:
        yield from paths_of(child, (*path, key))


MISSING = object()
REPLACEMENTS = [MISSING, None, 5, "x/../y", [], [None], [[]], {}, {"a": 1}]


def replaced(value: Any, path: tuple[Any, ...], replacement: Any) -> Any:
    if not path:
        return None if replacement is MISSING else replacement
    changed = copy.deepcopy(value)
    parent = changed
    for key in path[:-1]:
        parent = parent[key]
    if replacement is MISSING:
        del parent[path[-1]]
    else:
        parent[path[-1]] = replacement
    return changed


Answer = Callable[[str, str, Any], tuple[int, Any]]


class HostilePlane:
    """A control plane of which one answer is replaced."""

    def __init__(self, plane: ControlPlane) -> None:
        self.original: Answer = plane.answer
        self.answer: Answer = plane.answer
        plane.answer = self._respond  # type: ignore[method-assign]

    def _respond(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        return self.answer(method, path, body)

    def replace(self, place: str, path: tuple[Any, ...], replacement: Any) -> None:
        """Replace a part of the answer to a GET request."""

        def answer(method: str, requested: str, body: Any) -> tuple[int, Any]:
            status, data = self.original(method, requested, body)
            return status, replaced(data, path, replacement) if (method, requested) == ("GET", place) else data

        self.answer = answer

    def replace_number(self, number: int, replacement: Any) -> None:
        """Replace the answer to one request by its number."""
        numbers = itertools.count()

        def answer(method: str, requested: str, body: Any) -> tuple[int, Any]:
            status, data = self.original(method, requested, body)
            return (200, replacement) if next(numbers) == number else (status, data)

        self.answer = answer


class DirectClient(Client):
    """A client that asks a control plane of this process, without a connection."""

    def __init__(self, server: HostilePlane) -> None:
        super().__init__("http://127.0.0.1:9", ApiKey(KEY))
        self._server = server

    def request(self, method: str, path: str, body: Any = None) -> ApiResponse:
        status, data = self._server.answer(method, path.partition("?")[0], body)
        if status >= 400:
            raise ApiError(status, path, "")
        return ApiResponse(json.loads(json.dumps(data)), None)


class Site(NamedTuple):
    """A tree, and a control plane with objects of all kinds."""

    tree: SecretsTree
    plane: ControlPlane
    server: HostilePlane


TREE = {
    "organization.yaml": "name: acme\nedition: 2026\ndefault_model: m/m\n",
    "environments/production.yaml": "skill_ids: [sh]\nexecution_environment:\n  env_vars: {A: c}\n",
    "skills/sh.yaml": "type: shell\n",
    "worker_queues/qu.yaml": "environment: production\n",
    "policies/o.yaml": "policy_content: package o\n",
    "projects/p/project.yaml": "name: p\nkey: PP\n",
    "projects/p/teams/t/team.yaml": "skill_ids: [sh]\n",
    "projects/p/teams/t/agents/clerk.yaml": "execution_environment:\n  env_vars: {B: d}\n",
}
READS = [
    *("/auth/validate", "/organization/settings", "/environments", "/projects", "/skills", "/worker-queues"),
    *("/jobs", "/teams", "/agents", "/policies", "/policies/5", "/secrets"),
]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    tree = make_secrets_tree(tmp_path)
    for path in tree.root.rglob("*.yaml"):
        path.unlink()
    write_files(tree.root, TREE)
    with serve_control_plane("acme") as plane:
        full_plane(plane)
        plane.vault["S"] = "value"
        yield Site(tree, plane, HostilePlane(plane))


def changed_parts(data: Any, replacements: list[Any]) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Yield each part of an answer with each replacement."""
    pairs = itertools.product(paths_of(data), replacements)
    return (pair for pair in pairs if pair[0] or pair[1] is not MISSING)


def work_with(client: Client, plan: SavedPlan) -> None:
    """Plan, look for drift and extract a tree, as the commands do."""
    live = read_live_state(client, "acme")
    ids = ManagedIds("acme", {}, {})
    compared = make_plan(plan.desired, live, ids)
    encode_plan(compared)
    select_drift(compared, ids)
    for file in TreeExtractor(live, {}).files():
        render_tree_file(file.data)
    fetch_secrets(client, live)


def error_of(client: Client, plan: SavedPlan) -> str | None:
    """Return the code of the error that ends the work, None if nothing does, and the bug itself if it is one."""
    try:
        work_with(client, plan)
    except (MachineError, RefusedError) as error:
        return error.code if error.hint else "no hint"
    except Exception as error:  # noqa: BLE001 -- compared by the caller, which says where it came from
        return repr(error)
    return None


@pytest.mark.parametrize("place", READS)
def test_t108_each_field_of_another_type_is_reported_or_harmless(site: Site, place: str) -> None:
    saved = site.tree.home / "plan.json"
    assert site.tree.run("kubiya", "plan", "--out", str(saved), environ=site.plane.environ).code == 0
    plan = SavedPlan(saved.read_bytes())
    _, data = site.server.original("GET", place, None)
    with DirectClient(site.server) as client:
        work_with(client, plan)
        for path, replacement in changed_parts(data, REPLACEMENTS):
            site.server.replace(place, path, replacement)
            assert error_of(client, plan) in (None, "ET902", "ET909"), (path, replacement)


@pytest.mark.parametrize("place", READS)
def test_t108_no_answer_of_another_form_is_an_internal_error(site: Site, place: str) -> None:
    commands = itertools.cycle([["plan"], ["drift"], ["import", "--adopt", "*"], ["import", "new"]])
    _, data = site.server.original("GET", place, None)
    for path, replacement in changed_parts(data, [MISSING, 5, [None]]):
        site.server.replace(place, path, replacement)
        result = site.tree.run("kubiya", *next(commands), environ=site.plane.environ)
        assert_no_bug(result, (place, path, replacement))
        shutil.rmtree(site.tree.root / "new", ignore_errors=True)


def assert_no_bug(result: CommandResult, case: Any) -> None:
    assert result.code in (0, 1, 2, 3, 4), (case, result)
    assert result.code != 3 or ("hint:" in result.err or "ET903" in result.err), (case, result)


def test_t108_no_answer_to_a_change_is_an_internal_error(site: Site) -> None:
    before = copy.deepcopy(site.plane.objects)
    replacements: Iterator[Any] = itertools.cycle([None, 5, {}, [], {"id": 5}, [{}]])
    site.server.replace_number(-1, None)
    # The simple control plane does not complete what it stores, which ends the run after the first read of an agent.
    assert site.tree.run("kubiya", "apply", environ=site.plane.environ).code == 3
    requests = list(site.plane.requests)
    assert {"POST", "PUT", "PATCH", "DELETE"} <= {request.partition(" ")[0] for request in requests}
    for number in range(len(requests)):
        site.plane.objects = copy.deepcopy(before)
        site.server.replace_number(number, next(replacements))
        result = site.tree.run("kubiya", "apply", environ=site.plane.environ)
        assert_no_bug(result, number)


LOCKS: list[Any] = [
    None,
    5,
    [5],
    [{}],
    [{"id": "1", "name": "x", "key": "ENVTREE-LOCK"}],
    [{"id": "1", "name": "x", "key": "ENVTREE-LOCK", "updated_at": 5, "settings": {"holder": 5}}],
    [{"id": "1", "name": "x", "key": "ENVTREE-LOCK", "updated_at": "x", "settings": {"holder": {"process": []}}}],
    [{"id": "../agents/1", "name": "x", "key": "ENVTREE-LOCK", "updated_at": "2020-01-01T00:00:00+00:00"}],
]


@pytest.mark.parametrize("lock", LOCKS, ids=range(len(LOCKS)))
def test_t108_a_lock_of_another_form_is_left_alone(site: Site, lock: Any) -> None:
    def answer(method: str, place: str, body: Any) -> tuple[int, Any]:
        if place == "/projects":
            return (409, {}) if method == "POST" else (200, lock)
        return site.server.original(method, place, body)

    site.server.answer = answer
    result = site.tree.run("kubiya", "apply", environ=site.plane.environ)
    assert (result.code, bool(re.search("ET902|ET804", result.err)), "hint:" in result.err) == (3, True, True), result
    assert set(site.plane.changes) == {"POST /projects"}


@pytest.mark.parametrize("secrets", [None, 5, {}, [5], [{}], [{"name": 5}], [{"name": "TOKEN", "description": []}]])
def test_t108_a_vault_of_another_form_gets_no_secret(site: Site, secrets: Any) -> None:
    files = {
        "organization.yaml": organization_with_people(site.tree.owner),
        "projects/p/teams/t/agents/clerk.yaml": "execution_environment:\n  secrets: {TOKEN: token}\n",
    }
    write_files(site.tree.root, files)
    site.tree.set("environments/production.secrets.yaml", "token", "canary-value")
    site.server.answer = lambda method, place, body: (
        (200, secrets) if place == "/api/v2/secrets" else site.server.original(method, place, body)
    )
    result = site.tree.run("kubiya", "apply", "--vault", environ=site.plane.environ)
    assert (result.code, "ET902" in result.err, "hint:" in result.err) == (3, True, True), result
    assert "canary-value" not in result.err
    assert site.plane.vault == {"S": "value"}
