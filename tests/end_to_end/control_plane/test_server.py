"""What runs here is the published program, alone on this machine."""

import re
import urllib.request

import pytest

from tests.end_to_end.control_plane.installed import REQUIREMENTS
from tests.end_to_end.control_plane.keys import key_for
from tests.end_to_end.control_plane.server import ControlPlane

pytestmark = pytest.mark.control_plane


def ask(plane: ControlPlane, path: str, key: str) -> str:
    request = urllib.request.Request(f"{plane.url}/api/v1{path}", headers={"Authorization": f"UserKey {key}"})
    with urllib.request.urlopen(request) as answer:
        return str(answer.read(), "utf-8")


def test_the_requirements_are_names_and_hashes() -> None:
    lines = REQUIREMENTS.read_text().splitlines()
    assert all(re.fullmatch(r"# .*|[a-z0-9-]+==[\w.]+ \\|    --hash=sha256:[0-9a-f]{64}( \\)?", line) for line in lines)


def test_each_organization_starts_empty(plane: ControlPlane, organization: str) -> None:
    assert ask(plane, "/agents", key_for(organization)) == "[]"
    assert '"name":"default"' in ask(plane, "/environments", key_for(organization))


def test_the_database_is_a_real_one(plane: ControlPlane, organization: str, key: str) -> None:
    ask(plane, "/environments", key)
    assert f"'{organization}'" in plane.database.dump()


def test_it_tries_to_reach_others_in_one_case_only_and_does_not(plane: ControlPlane) -> None:
    # Its list of jobs asks a fixed address who made them.
    assert set(plane.refused()) <= {"socket.getaddrinfo b'api.kubiya.ai'"}
