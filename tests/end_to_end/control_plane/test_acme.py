"""The example, from an empty organization to every agent with the environment that we compiled for it."""

import json
from typing import Any

import pytest

from tests.end_to_end.control_plane.trees import Site

pytestmark = pytest.mark.control_plane


def bundles(site: Site) -> dict[str, dict[str, Any]]:
    """The bundles with their secrets in clear, as `compile` writes them, by what their agents are called there."""
    site.ok("compile", "-o", str(site.root.parent / "out"), SOPS_AGE_KEY_FILE=str(site.root / "age.key"))
    found = {}
    for path in (site.root.parent / "out").rglob("bundle.json"):
        one = json.loads(path.read_text())
        parts = (one["project"], one["team"], one["agent"], one["environment"])
        found[".".join(filter(None, parts))] = one
    return found


def test_plan_apply_and_nothing_is_left(example: Site) -> None:
    assert example.run("plan", "--detailed-exitcode").code == 2
    example.ok("apply")
    assert example.run("plan", "--detailed-exitcode").code == 0
    plan = example.plan()
    assert plan["changes"] == plan["taken"] == []
    assert plan["unmanaged"] == ["environment/default", "project/DEFAULT"]
    assert example.run("drift").code == 0
    # The server puts each into its project, and in an empty organization it loses some if that is not there first.
    listed = [*example.ask("GET", "/agents"), *example.ask("GET", "/teams")]
    assert all("DEFAULT" in {project["key"] for project in one["projects"]} for one in listed)
    # The markers are enough to find everything again.
    (example.root / ".envtree" / "control-plane.json").unlink()
    assert example.plan()["changes"] == []


def test_what_each_agent_gets_is_what_we_compiled(example: Site) -> None:
    example.ok("apply")
    compiled = bundles(example)
    agents = example.objects("/agents")
    assert compiled.keys() == agents.keys()
    for name, one in compiled.items():
        vault = example.plane.services.secrets[example.organization]
        vault.clear()
        vault.update({secret: one["env_vars"][secret] for secret in one["env_vars"]})
        assert example.resolved("agent", agents[name]["id"]) == one["env_vars"], name
    # Of a team there is no bundle; what it should get is what its resource says.
    example.ok("compile", "--secrets", "ref", "--format", "kubiya", "-o", str(example.root.parent / "resources"))
    data = json.loads((example.root.parent / "resources/control-plane/kubiya.json").read_text())
    teams = {
        one["name"]: one["body"].get("execution_environment", {}) for one in data["resources"] if one["kind"] == "team"
    }
    vault.update({name: f"value of {name}" for section in teams.values() for name in section.get("secrets", ())})
    for name, found in example.objects("/teams").items():
        section = teams[name]
        secrets = {secret: vault[secret] for secret in section.get("secrets", ())}
        assert example.resolved("team", found["id"]) == {**section.get("env_vars", {}), **secrets}, name
    assert len(teams) > 10
