"""Runs that are stopped in the middle, and runs at the same time."""

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

pytestmark = pytest.mark.control_plane

# What no two runs have in common.
_IDS = re.compile(r"(job_)?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_VOLATILE = ("_at", "_token", "_by", "organization_id", "owner_id", "owner_email", "task_queue_name")


def state(site: Site) -> Any:
    """All that the server has, but for ids and moments."""
    lists = ("environments", "projects", "teams", "agents", "skills", "worker-queues", "jobs")
    return {name: sorted(map(repr, _lasting(site.ask("GET", f"/{name}"), site.organization))) for name in lists}


def _lasting(value: Any, organization: str) -> Any:
    if isinstance(value, dict):
        kept = {key: child for key, child in value.items() if not key.endswith(_VOLATILE) and key != "sent"}
        return {key: _lasting(child, organization) for key, child in sorted(kept.items())}
    if isinstance(value, list):
        return sorted((_lasting(child, organization) for child in value), key=repr)
    text = value if isinstance(value, str) else ""
    # Digests of skills are of ids too.
    words = re.sub(r":[0-9a-f]{16}\]", ":]", text.replace(organization, "ORG"))
    return _IDS.sub("ID", words) if text else value


def killing(number: int) -> Callable[[], None]:
    """What has a process killed when its change of this number has arrived, before it hears of that.

    Reading changes nothing, so whoever is killed at a read leaves what the change before it has left.
    """

    def before() -> None:
        plain, sent = Client.request, 0

        def answer(self: Client, method: str, path: str, body: Any = None) -> ApiResponse:
            nonlocal sent
            found = plain(self, method, path, body)
            sent += method != "GET"
            if method != "GET" and sent == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return found

        Client.request = answer  # type: ignore[method-assign]

    return before


def of(plane: ControlPlane, folder: Path, organization: str) -> Site:
    """A site with the small tree, in one environment."""
    small(folder, organization)
    (folder / "environments/test.yaml").unlink()
    return Site(plane, organization, folder)


def test_killed_at_any_request_the_next_run_completes_it(plane: ControlPlane, tmp_path: Path) -> None:
    whole = of(plane, tmp_path / "whole", "killed-never")
    whole.ok("apply")
    expected = state(whole)
    for number in range(1, 100):
        site = of(plane, tmp_path / str(number), f"killed-{number}")
        ran = site.start("apply", before=killing(number)).wait()
        if ran.code == 0:
            assert number > 20, "it made fewer changes than anybody thought"
            return
        assert ran.code == -signal.SIGKILL, ran
        site.ok("apply")
        assert state(site) == expected, number
    raise AssertionError("it makes more changes than are tried")


def test_of_runs_at_the_same_time_one_wins_and_none_spoils_it(little: Site) -> None:
    runs = [little.start("apply") for _ in range(8)]
    ended = [run.wait() for run in runs]
    assert 0 in {ran.code for ran in ended}
    assert all(ran.code == 0 or (ran.code == 3 and "ET804" in ran.err) for ran in ended), ended
    plan = little.plan()
    assert (plan["changes"], plan["taken"]) == ([], [])
    names = [one["name"] for one in little.ask("GET", "/jobs")]
    assert names == ["daily"]
    assert "ENVTREE-LOCK" not in {one["key"] for one in little.ask("GET", "/projects")}


def test_a_lock_that_somebody_else_left_is_not_taken_before_its_time(little: Site) -> None:
    body = {"name": "envtree lock", "key": "ENVTREE-LOCK", "settings": {"holder": {"machine": "another"}}}
    lock = little.ask("POST", "/projects", body)
    ran = little.run("apply")
    assert (ran.code, "ET804" in ran.err) == (3, True)
    assert little.plan()["unmanaged"] == ["environment/default", "project/DEFAULT"]
    little.ask("DELETE", f"/projects/{lock['id']}")
    little.ok("apply")
    assert key_for(little.organization) not in little.plane.log.read_text()
