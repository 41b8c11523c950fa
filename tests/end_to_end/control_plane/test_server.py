"""The control plane under test is the published program, and reaches no other machine."""

import re
import urllib.request

import pytest

from tests.end_to_end.control_plane.installed import REQUIREMENTS
from tests.end_to_end.control_plane.keys import key_for
from tests.end_to_end.control_plane.server import ControlPlane

pytestmark = pytest.mark.control_plane


def get_text(plane: ControlPlane, path: str, key: str) -> str:
    request = urllib.request.Request(f"{plane.url}/api/v1{path}", headers={"Authorization": f"UserKey {key}"})
    with urllib.request.urlopen(request) as response:
        return str(response.read(), "utf-8")


def test_the_requirements_are_names_and_hashes() -> None:
    lines = REQUIREMENTS.read_text().splitlines()
    assert all(re.fullmatch(r"# .*|[a-z0-9-]+==[\w.]+ \\|    --hash=sha256:[0-9a-f]{64}( \\)?", line) for line in lines)


def test_each_organization_starts_empty(plane: ControlPlane, organization: str) -> None:
    assert get_text(plane, "/agents", key_for(organization)) == "[]"
    assert '"name":"default"' in get_text(plane, "/environments", key_for(organization))


def test_the_database_is_a_real_one(plane: ControlPlane, organization: str, key: str) -> None:
    get_text(plane, "/environments", key)
    assert f"'{organization}'" in plane.database.dump()


def test_it_tries_to_reach_others_in_one_case_only_and_does_not(plane: ControlPlane) -> None:
    # To list jobs, it asks a fixed address for the names of their authors.
    assert set(plane.refused()) <= {"socket.getaddrinfo b'api.kubiya.ai'"}
