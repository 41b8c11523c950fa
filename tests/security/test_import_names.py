"""`import` of objects whose names and ids are made to lead somewhere else."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.control_plane import ControlPlane, serve_control_plane
from tests.support.secrets_tree import SecretsTree, make_secrets_tree

ODD_NAMES = [
    *("../evil", "..", ".", "a/../../evil", "/etc/x", "\\evil", ".git", ".envtree", "", "a/b", "evil\0"),
    *("evil\x1b[31m", "evil\n::error::x", "Ünï", "x" * 300, "$ref", "${{ x }}", "con", "organization.yaml"),
]
NO_NAMES: list[Any] = [None, 5, [], {"a": 1}, True]


def fill(plane: ControlPlane, name: Any) -> None:
    """Add one object of each kind with a name, and an agent that uses a secret with such a name."""
    environment = plane.add("environments", name=name)
    for kind in ("skills", "worker-queues", "teams", "jobs"):
        plane.add(kind, name=name, type="shell", configuration={}, environment_id=environment["id"])
    plane.add("projects", name="x", key=name)
    used = {"environments": [{"id": environment["id"], "name": name}], "projects": [{"id": "1", "key": name}]}
    section = {"env_vars": {"K": "v"}, "secrets": ["A/../../agents", "TOKEN"]}
    plane.add("agents", name=name, model_id="m/m", execution_environment=section, **used)


def imported(tree: SecretsTree, name: Any) -> tuple[int, str, list[str], ControlPlane]:
    with serve_control_plane("acme") as plane:
        fill(plane, name)
        before = set(tree.root.parent.rglob("*"))
        result = tree.run("kubiya", "import", "new", "--age", tree.owner.public, environ=plane.environ)
    written = [path for path in tree.root.parent.rglob("*") if path not in before]
    outside = [str(path) for path in written if not path.is_relative_to(tree.root / "new") or path.is_symlink()]
    return result.code, result.out + result.err, outside, plane


@pytest.mark.parametrize("name", ODD_NAMES)
def test_t105_no_name_leads_out_of_the_new_tree(tmp_path: Path, name: str) -> None:
    tree = make_secrets_tree(tmp_path)
    code, shown, outside, plane = imported(tree, name)
    assert (code, outside) == (0, []), shown
    assert "\x1b" not in shown
    assert not any(line.startswith("::") for line in shown.splitlines())
    assert not [request for request in plane.requests if ".." in request or not request.startswith("GET /")]


@pytest.mark.parametrize("name", NO_NAMES, ids=repr)
def test_t105_a_name_that_is_no_text_ends_the_import(tmp_path: Path, name: Any) -> None:
    tree = make_secrets_tree(tmp_path)
    code, shown, outside, _ = imported(tree, name)
    assert (code, "ET902" in shown, outside) == (3, True, []), shown
    assert not (tree.root / "new").exists()
