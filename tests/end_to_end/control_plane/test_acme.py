"""The example tree, applied to an empty organization: every agent gets the environment of its bundle."""

import json
from typing import Any

import pytest

from tests.end_to_end.control_plane.trees import Site

pytestmark = pytest.mark.control_plane


def bundles(site: Site) -> dict[str, dict[str, Any]]:
    """Return the bundles with plaintext secrets, as `compile` writes them, by the agent's name at the control plane."""
    site.ok("compile", "-o", str(site.root.parent / "out"), SOPS_AGE_KEY_FILE=str(site.root / "age.key"))
    bundles_by_name = {}
    for path in (site.root.parent / "out").rglob("bundle.json"):
        bundle = json.loads(path.read_text())
        parts = (bundle["project"], bundle["team"], bundle["agent"], bundle["environment"])
        bundles_by_name[".".join(filter(None, parts))] = bundle
    return bundles_by_name


def test_plan_apply_and_nothing_is_left(example: Site) -> None:
    assert example.run("kubiya", "plan", "--detailed-exitcode").code == 2
    example.ok("kubiya", "apply")
    assert example.run("kubiya", "plan", "--detailed-exitcode").code == 0
    plan = example.plan()
    assert plan["changes"] == plan["taken"] == []
    assert plan["unmanaged"] == ["environment/default", "project/DEFAULT"]
    assert example.run("kubiya", "drift").code == 0
    # The server puts each into the default project, and would lose some if that did not exist first.
    listed = [*example.request("GET", "/agents"), *example.request("GET", "/teams")]
    assert all("DEFAULT" in {project["key"] for project in member["projects"]} for member in listed)
    # The markers are enough to find everything again.
    (example.root / ".envtree" / "control-plane.json").unlink()
    assert example.plan()["changes"] == []


def test_what_each_agent_gets_is_what_we_compiled(example: Site) -> None:
    example.ok("kubiya", "apply")
    compiled = bundles(example)
    agents = example.objects("/agents")
    assert compiled.keys() == agents.keys()
    for name, bundle in compiled.items():
        vault = example.plane.services.secrets[example.organization]
        vault.clear()
        vault.update(bundle["env_vars"])
        assert example.resolved("agent", agents[name]["id"]) == bundle["env_vars"], name
    # A team has no bundle, so its environment is compared with its resource.
    example.ok("compile", "--secrets", "ref", "--format", "kubiya", "-o", str(example.root.parent / "resources"))
    data = json.loads((example.root.parent / "resources/control-plane/kubiya.json").read_text())
    teams = {
        resource["name"]: resource["body"].get("execution_environment", {})
        for resource in data["resources"]
        if resource["kind"] == "team"
    }
    vault.update({name: f"value of {name}" for section in teams.values() for name in section.get("secrets", ())})
    for name, team in example.objects("/teams").items():
        section = teams[name]
        secrets = {secret: vault[secret] for secret in section.get("secrets", ())}
        assert example.resolved("team", team["id"]) == {**section.get("env_vars", {}), **secrets}, name
    assert len(teams) > 10
