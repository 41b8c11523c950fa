"""Tampered plans and ids for `apply`, and what reaches the vault, against a control plane on loopback."""

import copy
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.command_line import write_files
from tests.support.control_plane import KEY, ControlPlane, serve_control_plane
from tests.support.secrets_tree import PRODUCTION, SecretsTree, make_secrets_tree

CANARY = "numbat7-canary-value"
ENVIRONMENT = "skill_ids: [sh]\nexecution_environment:\n  env_vars: {A: b}\n"
AGENT = "execution_environment:\n  secrets: {TOKEN: token}\n"


@pytest.fixture
def plane() -> Iterator[ControlPlane]:
    with serve_control_plane("acme") as running:
        yield running


@pytest.fixture
def tree(tmp_path: Path) -> SecretsTree:
    tree = make_secrets_tree(tmp_path)
    write_files(tree.root, {"environments/production.yaml": ENVIRONMENT, "skills/sh.yaml": "type: shell\n"})
    (tree.root / "environments/staging.yaml").unlink()
    return tree


def with_secret(tree: SecretsTree) -> None:
    write_files(tree.root, {"agents/clerk.yaml": AGENT})
    tree.set(PRODUCTION, "token", CANARY)


def make_saved_plan(tree: SecretsTree, plane: ControlPlane) -> Any:
    assert tree.run("kubiya", "plan", "--out", str(tree.home / "plan.json"), environ=plane.environ).code == 0
    plane.requests.clear()
    return json.loads((tree.home / "plan.json").read_text())


def apply_saved(tree: SecretsTree, plane: ControlPlane, plan: Any, *options: str) -> int:
    """Apply a plan, and check that nothing is changed or quoted unless it is accepted."""
    (tree.home / "plan.json").write_text(json.dumps(plan))
    result = tree.run("kubiya", "apply", str(tree.home / "plan.json"), *options, environ=plane.environ)
    assert not any(text in result.out + result.err for text in (CANARY, KEY, "Traceback")), result
    return result.code


def paths_of(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in items:
        yield from paths_of(child, (*path, key))


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = {"a": [value]}
    return value


def replaced(plan: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    changed = copy.deepcopy(plan)
    parent = changed
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = value
    return changed


REPLACEMENTS = [None, 1, "../../x", [], {"a": 1}, {"$ref": "skill/sh"}, nested(450)]


@pytest.mark.parametrize("value", REPLACEMENTS, ids=range(len(REPLACEMENTS)))
def test_t103_a_plan_that_was_edited_changes_nothing_else(tree: SecretsTree, plane: ControlPlane, value: Any) -> None:
    plan = make_saved_plan(tree, plane)
    reviewed = requests_of(tree, plane, plan)
    # The parts of the changes are compared as a whole.
    for path in (path for path in paths_of(plan) if path[:1] == ("desired",) or len(path) < 3):
        changed = replaced(plan, path, value)
        made = requests_of(tree, plane, changed)
        assert not made or (made == reviewed and is_equivalent(plan, changed)), path


def requests_of(tree: SecretsTree, plane: ControlPlane, plan: Any) -> list[str]:
    """Return the requests with which a plan is applied, up to ids and the lock, and undo them."""
    before = copy.deepcopy(plane.objects)
    plane.requests.clear()
    assert apply_saved(tree, plane, plan) in (0, 1, 2, 3)
    plane.objects = before
    return [re.sub("[0-9a-f-]{36}", "ID", line) for line in plane.changes if "/projects" not in line]


def is_equivalent(plan: Mapping[str, Any], changed: Mapping[str, Any]) -> bool:
    """Report whether all that was reviewed is the same; a resource means the same without an empty part."""
    return all(plan[name] == changed[name] for name in plan if name not in ("desired", "unmanaged"))


def test_t103_a_plan_adds_no_resource_of_its_own(tree: SecretsTree, plane: ControlPlane) -> None:
    plan = make_saved_plan(tree, plane)
    for kind in ("skill", "environment", "policy"):
        extra = {**plan["desired"][0], "kind": kind, "name": "extra", "body": {"name": "extra", "type": "shell"}}
        assert apply_saved(tree, plane, {**plan, "desired": [*plan["desired"], extra]}) == 1
    assert apply_saved(tree, plane, {**plan, "organization": "other"}) == 1
    assert {request.split(" ")[1] for request in plane.changes if "POST" in request} <= {"/projects"}


def test_t104_no_secret_is_sent_before_the_plan_and_its_organization_are_checked(
    tree: SecretsTree, plane: ControlPlane
) -> None:
    with_secret(tree)
    plan = make_saved_plan(tree, plane)
    plan["changes"][0]["name"] = "other"
    assert apply_saved(tree, plane, plan, "--vault") == 1
    plane.organization = "other"
    plane.requests.clear()
    result = tree.run("kubiya", "apply", "--vault", environ=plane.environ)
    assert (result.code, "ET909" in result.err, plane.changes, plane.vault) == (1, True, [], {})


def test_t104_the_vault_gets_the_secrets_of_the_plan(tree: SecretsTree, plane: ControlPlane) -> None:
    with_secret(tree)
    plane.vault["TOKEN"] = "theirs"
    assert apply_saved(tree, plane, make_saved_plan(tree, plane), "--vault") == 1
    assert plane.vault == {"TOKEN": "theirs"}
    del plane.vault["TOKEN"]
    # This control plane does not return the environments of agents, which is reported after the vault is filled.
    assert apply_saved(tree, plane, make_saved_plan(tree, plane), "--vault") == 3
    assert plane.vault == {"TOKEN": CANARY}


@pytest.mark.parametrize("name", ["../agents", "A/../B", "", "A B", "A\n", "é"])
def test_t104_no_name_leaves_the_paths_of_the_vault(tree: SecretsTree, plane: ControlPlane, name: str) -> None:
    with_secret(tree)
    plan = make_saved_plan(tree, plane)
    text = json.dumps(plan).replace('"TOKEN"', json.dumps(name))
    assert apply_saved(tree, plane, json.loads(text), "--vault") == 1
    assert plane.vault == {}
    assert not [request for request in plane.changes if "secrets" in request]


def test_t80_the_file_of_ids_is_not_written_through_a_link(tree: SecretsTree, plane: ControlPlane) -> None:
    victim, folder = tree.home / "victim", tree.root / ".envtree"
    victim.write_text("mine")
    folder.mkdir()
    for name in ("control-plane.json.new", "control-plane.json"):
        (folder / name).symlink_to(victim if name.endswith("new") else tree.home / "no-file")
    plane.add("environments", name="production")
    arguments = ("kubiya", "import", "--adopt", "environment/production")
    assert tree.run(*arguments, environ=plane.environ).code == 0
    assert victim.read_text() == "mine"
    assert not (tree.home / "no-file").exists()
    assert not (folder / "control-plane.json").is_symlink()
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    folder.symlink_to(tree.home)
    result = tree.run(*arguments, environ=plane.environ)
    assert (result.code, "ET808" in result.err) == (1, True)
    assert not (tree.home / "control-plane.json").exists()
