"""`server_view` is what the real control plane answers, for what a tree would make and for what it never would."""

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

pytestmark = pytest.mark.control_plane

# Each is an agent and a team.
SETS, SEED = 150, 8
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
    """Makes requests in one organization."""

    def __init__(self, plane: ControlPlane, organization: str) -> None:
        self.key = key_for(organization)
        self._connection = HTTPConnection(plane.url.removeprefix("http://"))

    def __call__(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"Authorization": f"UserKey {self.key}", "Content-Type": "application/json"}
        self._connection.request(method, f"/api/v1{path}", None if body is None else json.dumps(body), headers)
        answer = self._connection.getresponse()
        text = answer.read()
        assert answer.status < 300, (method, path, answer.status, text[:200])
        return json.loads(text or b"null")

    def close(self) -> None:
        self._connection.close()


class Dice:
    """Draws payloads in which names collide a lot."""

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


def made(number: int, dice: Dice) -> tuple[list[DesiredResource], DesiredResource, DesiredResource]:
    """Environments, an agent and a team that both name all of them."""
    place = file_span("x")
    environments = [
        DesiredResource(
            "environment", f"e{number}-{n}", place, {"name": f"e{number}-{n}", "execution_environment": dice.section()}
        )
        for n in range(dice.count(2))
    ]
    refs = [one.ref for one in environments]
    body = {"execution_environment": dice.section(), "description": dice.text()}
    agent = {**body, "name": f"a{number}", "model_id": "m/m", "environment_ids": refs, "system_prompt": dice.text()}
    team = {"name": f"t{number}", "execution_environment": dice.section()}
    return (
        environments,
        DesiredResource("agent", f"a{number}", place, {**agent, "configuration": {"x": [dice.text()]}}),
        DesiredResource("team", f"t{number}", place, team, {"environment_ids": refs}),
    )


def views(subject: DesiredResource, environments: list[DesiredResource], world: ServerRuntime) -> Iterator[ServerView]:
    """What may arrive: the server takes environments in any order."""
    known = {one.ref: one for one in environments}
    for order in permutations(one.ref for one in environments):
        yield server_view(subject._replace(late={**subject.late, "environment_ids": list(order)}), known, world)


def filled(value: Any) -> Any:
    """Data without what the server puts there for nothing."""
    if isinstance(value, dict):
        return {key: filled(child) for key, child in value.items() if child is not None}
    return [filled(child) for child in value] if isinstance(value, list) else value


def test_random_payloads_resolve_as_foreseen(plane: ControlPlane, organization: str) -> None:
    with closing(Caller(plane, organization)) as call:
        resolve_all(call, Dice(SEED), plane.services.secrets[organization])


def resolve_all(call: Caller, dice: Dice, vault: dict[str, str]) -> None:
    """Make every set, and compare what the server says with what was foreseen."""
    call("GET", "/environments")
    call("GET", "/projects/default")
    for number in range(SETS):
        environments, agent, team = made(number, dice)
        vault.clear()
        vault |= {name: f"of {name}" for name in dice.some(SECRETS)}
        ids: dict[ResourceRef, str] = {
            one.ref: call("POST", "/environments", dict(one.body))["id"] for one in environments
        }
        places = [ids[one.ref] for one in environments]
        agent_id = call("POST", "/agents", {**agent.body, "environment_ids": places})["id"]
        team_id = call("POST", "/teams", dict(team.body))["id"]
        call("PATCH", f"/teams/{team_id}", {"environment_ids": places})
        for subject, path in ((agent, f"agents/{agent_id}"), (team, f"teams/{team_id}")):
            flat = call("GET", f"/execution-environment/{path}/resolved")
            assert flat in [one.env_vars for one in views(subject, environments, ServerRuntime(vault))], subject
            if number % 2:
                # It takes longer, and what is in both is the same.
                continue
            full = call("GET", f"/execution-environment/{path}/resolved/full")
            check_full(full, subject, list(views(subject, environments, ServerRuntime(vault, api_key=call.key))))


def check_full(full: dict[str, Any], subject: DesiredResource, foreseen: list[ServerView]) -> None:
    """One of the views is what a run gets; to a prompt the server adds advice of its own, and shows it twice."""
    told = {"env_vars": full["env_vars"], "mcp_servers": filled(full["mcp_servers"])}
    expected = [{"env_vars": one.env_vars, "mcp_servers": one.mcp_servers} for one in foreseen]
    if subject.kind == "agent":
        told |= {"description": full["description"], "configuration": full["configuration"]["x"]}
        told["system_prompt"] = [full["system_prompt"].startswith(one.texts["system_prompt"]) for one in foreseen]
        for answer, view in zip(expected, foreseen, strict=True):
            answer |= {"description": view.texts["description"], "configuration": view.texts["configuration"]["x"]}
            answer["system_prompt"] = told["system_prompt"]
        assert any(told["system_prompt"]), (full["system_prompt"][:80], subject)
    assert told in expected, (subject, [{k: (told[k], e[k]) for k in e if told[k] != e[k]} for e in expected])
