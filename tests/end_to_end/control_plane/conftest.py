"""One control plane for all tests; each test has its own empty organization in it."""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.control_plane.keys import key_for
from tests.end_to_end.control_plane.server import ControlPlane
from tests.end_to_end.control_plane.trees import Site, acme, small


@pytest.fixture(scope="session")
def plane() -> Iterator[ControlPlane]:
    """Run the control plane for the session."""
    running = ControlPlane()
    yield running
    running.stop()


@pytest.fixture
def organization(request: pytest.FixtureRequest) -> str:
    """Return the name of an organization that no other test uses."""
    node_id = request.node.nodeid
    words = re.sub(r"[^a-z0-9]+", "-", node_id.partition("::test_")[2].lower()).strip("-")
    return f"{words[:40]}-{hashlib.sha256(node_id.encode()).hexdigest()[:8]}"


@pytest.fixture
def key(organization: str) -> str:
    """Return the API key of the test's organization."""
    return key_for(organization)


@pytest.fixture
def site(plane: ControlPlane, organization: str, tmp_path: Path) -> Site:
    """Return a site with an empty folder for the tree."""
    root = tmp_path / "tree"
    root.mkdir()
    return Site(plane, organization, root)


@pytest.fixture
def example(plane: ControlPlane, organization: str, tmp_path: Path) -> Site:
    """Return a site with the example tree, not yet applied."""
    acme(tmp_path / "tree", organization)
    return Site(plane, organization, tmp_path / "tree")


@pytest.fixture
def small_site(site: Site) -> Site:
    """Return a site with a small tree that has one resource of each kind, not yet applied."""
    small(site.root, site.organization)
    return site
