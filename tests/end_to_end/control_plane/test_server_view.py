"""`server_view` equals the answer of the real control plane, for resources that a tree yields and others."""

import json
import random
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from itertools import permutations
from typing import Any

import pytest

from envtree.controlplane.desired import DesiredResource, ResourceRef
from envtree.controlplane.desired.server_view import ServerRuntime, ServerView, server_view
from envtree.model.span import file_span
from tests.end_to_end.control_plane.keys import key_for
from tests.end_to_end.control_plane.server import ControlPlane
from tests.support.rounds import rounds

pytestmark = pytest.mark.control_plane

# Each set has an agent and a team.
SETS, SEED = rounds(gate=40, full=150), 8
NAMES = ("LOG", "DB", "TOKEN", "URL")
SECRETS = ("DB", "TOKEN", "EXTRA", "odd-name")
TEXT = (
    *("", "plain", "{{LOG}}", "{{.env.DB}}", "{{.secret.TOKEN}}", "{{.secret.DB}}-{{LOG}}", "{{ LOG }}", "{{.env.NO}}"),
    *(
        "{{secret:DB}}",
        "${LOG}",
        "{{.secret.odd-name}}",
        "{{LOG}} and {{NO}}",
        "{{",
        "{{}}",
        "é {{TOKEN}}",
        "{{.secret.LOG}}",
    ),
)


class Caller:
    """Make requests in one organization."""

    def __init__(self, plane: ControlPlane, organization: str) -> None:
        self.key = key_for(organization)
        self._connection = HTTPConnection(plane.url.removeprefix("http://"))

    def __call__(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"Authorization": f"UserKey {self.key}", "Content-Type": "application/json"}
        self._connection.request(method, f"/api/v1{path}", None if body is None else json.dumps(body), headers)
        response = self._connection.getresponse()
        text = response.read()
        assert response.status < 300, (method, path, response.status, text[:200])
        return json.loads(text or b"null")

    def close(self) -> None:
        self._connection.close()


class Dice:
    """Draw payloads whose names often collide."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def some(self, names: tuple[str, ...]) -> list[str]:
        return [name for name in names if self._random.random() < 0.4]

    def text(self) -> str:
        return self._random.choice(TEXT)

    def section(self) -> dict[str, Any]:
        section: dict[str, Any] = {
            "env_vars": {name: self.text() for name in self.some(NAMES)},
            "secrets": self.some(SECRETS),
            "mcp_servers": {
                name: {"command": "run", "args": [self.text()], "env": {"A": self.text()}}
                for name in self.some(("s", "t"))
            },
        }
        return {name: part for name, part in section.items() if self._random.random() < 0.8}

    def count(self, most: int) -> int:
        return self._random.randint(0, most)


def draw_set(number: int, dice: Dice) -> tuple[list[DesiredResource], DesiredResource, DesiredResource]:
    """Return environments, and an agent and a team that both use all of them."""
    span = file_span("x")
    environments = [
        DesiredResource(
            "environment", f"e{number}-{n}", span, {"name": f"e{number}-{n}", "execution_environment": dice.section()}
        )
        for n in range(dice.count(2))
    ]
    refs = [environment.ref for environment in environments]
    body = {"execution_environment": dice.section(), "description": dice.text()}
    agent = {**body, "name": f"a{number}", "model_id": "m/m", "environment_ids": refs, "system_prompt": dice.text()}
    team = {"name": f"t{number}", "execution_environment": dice.section()}
    return (
        environments,
        DesiredResource("agent", f"a{number}", span, {**agent, "configuration": {"x": [dice.text()]}}),
        DesiredResource("team", f"t{number}", span, team, {"environment_ids": refs}),
    )


def views(
    subject: DesiredResource, environments: list[DesiredResource], runtime: ServerRuntime
) -> Iterator[ServerView]:
    """Yield the possible results: the server takes environments in any order."""
    resources = {environment.ref: environment for environment in environments}
    for order in permutations(environment.ref for environment in environments):
        yield server_view(subject._replace(late={**subject.late, "environment_ids": list(order)}), resources, runtime)


def without_nulls(value: Any) -> Any:
    """Return data without the nulls that the server adds."""
    if isinstance(value, dict):
        return {key: without_nulls(child) for key, child in value.items() if child is not None}
    return [without_nulls(child) for child in value] if isinstance(value, list) else value


def test_random_payloads_resolve_as_foreseen(plane: ControlPlane, organization: str) -> None:
    with closing(Caller(plane, organization)) as call:
        resolve_all(call, Dice(SEED), plane.services.secrets[organization])


def resolve_all(call: Caller, dice: Dice, vault: dict[str, str]) -> None:
    """Create every set, and compare the server's answers with the predicted views."""
    call("GET", "/environments")
    call("GET", "/projects/default")
    for number in range(SETS):
        environments, agent, team = draw_set(number, dice)
        vault.clear()
        vault |= {name: f"of {name}" for name in dice.some(SECRETS)}
        ids: dict[ResourceRef, str] = {
            environment.ref: call("POST", "/environments", dict(environment.body))["id"] for environment in environments
        }
        environment_ids = [ids[environment.ref] for environment in environments]
        agent_id = call("POST", "/agents", {**agent.body, "environment_ids": environment_ids})["id"]
        team_id = call("POST", "/teams", dict(team.body))["id"]
        call("PATCH", f"/teams/{team_id}", {"environment_ids": environment_ids})
        for subject, path in ((agent, f"agents/{agent_id}"), (team, f"teams/{team_id}")):
            flat = call("GET", f"/execution-environment/{path}/resolved")
            assert flat in [view.env_vars for view in views(subject, environments, ServerRuntime(vault))], subject
            if number % 2:
                # The full answer takes longer and contains the flat one, so only every other one is read.
                continue
            full = call("GET", f"/execution-environment/{path}/resolved/full")
            check_full(full, subject, list(views(subject, environments, ServerRuntime(vault, api_key=call.key))))


def check_full(full: dict[str, Any], subject: DesiredResource, expected_views: list[ServerView]) -> None:
    """Require that one view equals a run's environment; the server adds advice to a prompt, and returns it twice."""
    actual = {"env_vars": full["env_vars"], "mcp_servers": without_nulls(full["mcp_servers"])}
    expected = [{"env_vars": view.env_vars, "mcp_servers": view.mcp_servers} for view in expected_views]
    if subject.kind == "agent":
        actual |= {"description": full["description"], "configuration": full["configuration"]["x"]}
        actual["system_prompt"] = [
            full["system_prompt"].startswith(view.texts["system_prompt"]) for view in expected_views
        ]
        for expected_view, view in zip(expected, expected_views, strict=True):
            expected_view |= {
                "description": view.texts["description"],
                "configuration": view.texts["configuration"]["x"],
            }
            expected_view["system_prompt"] = actual["system_prompt"]
        assert any(actual["system_prompt"]), (full["system_prompt"][:80], subject)
    assert actual in expected, (subject, [{k: (actual[k], e[k]) for k in e if actual[k] != e[k]} for e in expected])
