"""Runs that are killed at each request, and concurrent runs."""

import os
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from envtree.controlplane.api.client import ApiResponse, Client
from tests.end_to_end.control_plane.keys import key_for
from tests.end_to_end.control_plane.server import ControlPlane
from tests.end_to_end.control_plane.trees import Site, small
from tests.support.rounds import rounds

pytestmark = pytest.mark.control_plane

# Ids and fields that differ between any two runs.
_IDS = re.compile(r"(job_)?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_VOLATILE = ("_at", "_token", "_by", "organization_id", "owner_id", "owner_email", "task_queue_name")


def state(site: Site) -> Any:
    """Return the server's objects without ids and timestamps."""
    lists = ("environments", "projects", "teams", "agents", "skills", "worker-queues", "jobs")
    return {name: sorted(map(repr, _stable_part(site.request("GET", f"/{name}"), site.organization))) for name in lists}


def _stable_part(value: Any, organization: str) -> Any:
    if isinstance(value, dict):
        stable = {key: child for key, child in value.items() if not key.endswith(_VOLATILE) and key != "sent"}
        return {key: _stable_part(child, organization) for key, child in sorted(stable.items())}
    if isinstance(value, list):
        return sorted((_stable_part(child, organization) for child in value), key=repr)
    text = value if isinstance(value, str) else ""
    # The digests of skills depend on ids.
    words = re.sub(r":[0-9a-f]{16}\]", ":]", text.replace(organization, "ORG"))
    return _IDS.sub("ID", words) if text else value


def kill_at_change(number: int) -> Callable[[], None]:
    """Return a function that kills its process after change `number` is stored, before its response is read.

    Reads change nothing, so a kill at a read leaves the same state as one at the change before it.
    """

    def before() -> None:
        original, sent = Client.request, 0

        def request(self: Client, method: str, path: str, body: Any = None) -> ApiResponse:
            nonlocal sent
            response = original(self, method, path, body)
            sent += method != "GET"
            if method != "GET" and sent == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return response

        Client.request = request  # type: ignore[method-assign]

    return before


def one_environment_site(plane: ControlPlane, folder: Path, organization: str) -> Site:
    """Return a site with the small tree in one environment."""
    small(folder, organization)
    (folder / "environments/test.yaml").unlink()
    return Site(plane, organization, folder)


def test_killed_at_any_request_the_next_run_completes_it(plane: ControlPlane, tmp_path: Path) -> None:
    reference = one_environment_site(plane, tmp_path / "whole", "killed-never")
    reference.ok("kubiya", "apply")
    expected = state(reference)
    for number in range(1, 100, rounds(gate=4, full=1)):
        site = one_environment_site(plane, tmp_path / str(number), f"killed-{number}")
        result = site.start("kubiya", "apply", before=kill_at_change(number)).wait()
        if result.code == 0:
            assert number > 20, "it made fewer changes than anybody thought"
            return
        assert result.code == -signal.SIGKILL, result
        site.ok("kubiya", "apply")
        assert state(site) == expected, number
    raise AssertionError("it makes more changes than are tried")


def test_of_runs_at_the_same_time_one_wins_and_none_spoils_it(small_site: Site) -> None:
    runs = [small_site.start("kubiya", "apply") for _ in range(8)]
    results = [run.wait() for run in runs]
    assert 0 in {result.code for result in results}
    assert all(result.code == 0 or (result.code == 3 and "ET804" in result.err) for result in results), results
    plan = small_site.plan()
    assert (plan["changes"], plan["taken"]) == ([], [])
    names = [job["name"] for job in small_site.request("GET", "/jobs")]
    assert names == ["daily"]
    assert "ENVTREE-LOCK" not in {project["key"] for project in small_site.request("GET", "/projects")}


def test_a_lock_that_somebody_else_left_is_not_taken_before_its_time(small_site: Site) -> None:
    body = {"name": "envtree lock", "key": "ENVTREE-LOCK", "settings": {"holder": {"machine": "another"}}}
    lock = small_site.request("POST", "/projects", body)
    result = small_site.run("kubiya", "apply")
    assert (result.code, "ET804" in result.err) == (3, True)
    assert small_site.plan()["unmanaged"] == ["environment/default", "project/DEFAULT"]
    small_site.request("DELETE", f"/projects/{lock['id']}")
    small_site.ok("kubiya", "apply")
    assert key_for(small_site.organization) not in small_site.plane.log.read_text()
