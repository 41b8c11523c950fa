"""One control plane for all tests; each test has an organization of its own in it, which is empty."""

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
    """The running control plane."""
    running = ControlPlane()
    yield running
    running.stop()


@pytest.fixture
def organization(request: pytest.FixtureRequest) -> str:
    """The name of an organization that no other test uses."""
    name = request.node.nodeid
    words = re.sub(r"[^a-z0-9]+", "-", name.partition("::test_")[2].lower()).strip("-")
    return f"{words[:40]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


@pytest.fixture
def key(organization: str) -> str:
    """Its key."""
    return key_for(organization)


@pytest.fixture
def site(plane: ControlPlane, organization: str, tmp_path: Path) -> Site:
    """An empty folder for a tree of the test's organization."""
    root = tmp_path / "tree"
    root.mkdir()
    return Site(plane, organization, root)


@pytest.fixture
def example(plane: ControlPlane, organization: str, tmp_path: Path) -> Site:
    """The example tree, not yet applied."""
    acme(tmp_path / "tree", organization)
    return Site(plane, organization, tmp_path / "tree")


@pytest.fixture
def little(site: Site) -> Site:
    """A small tree with one of each kind, not yet applied."""
    small(site.root, site.organization)
    return site
