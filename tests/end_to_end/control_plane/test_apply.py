"""`apply`: created, changed and deleted objects, and foreign ones, which stay untouched."""

import json
from contextlib import suppress
from typing import Any
from urllib.error import HTTPError

import pytest

from tests.end_to_end.control_plane.trees import Site

pytestmark = pytest.mark.control_plane


def changes(site: Site) -> list[str]:
    """Return the changes of a plan, one text each."""
    return [f"{change['action']} {change['kind']}/{change['name']}" for change in site.plan()["changes"]]


def test_everything_arrives(small_site: Site) -> None:
    small_site.ok("kubiya", "apply")
    assert changes(small_site) == []
    prod = small_site.objects("/environments")["prod"]
    assert prod["tags"] == ["a", "b"]
    assert prod["settings"]["color"] == "red"
    agents = small_site.objects("/agents")
    clerk, bot = agents["shop.clerk.prod"], agents["shop.web.bot.prod"]
    assert small_site.resolved("agent", bot["id"]) == {
        "LOG_LEVEL": "debug",
        "REGION": "eu",
        "STAGE": "prod",
        "TEAM": "web",
    }
    assert (clerk["system_prompt"], clerk["skills"][0]["configuration"]) == (
        "You sell.",
        {"allowed_commands": ["ls"], "timeout": 5},
    )
    teams = small_site.objects("/teams")
    assert [agent["id"] for agent in teams["shop.web.prod"]["agents"]] == [bot["id"]]
    assert small_site.resolved("team", teams["shop.web.prod"]["id"])["TEAM"] == "web"
    project = small_site.objects("/projects")["Shop"]
    assert (project["goals"], project["agent_count"], project["team_count"]) == ("Sell.", 3, 2)
    assert project["settings"]["a"] == 1
    assert small_site.request("GET", "/organization/settings")["enforcement_enabled"] is True


CHANGES = [
    ("environments/prod.yaml", "color: red", "color: blue", ["update environment/prod"]),
    ("environments/prod.yaml", "skill_ids: [calm]", "skill_ids: [calm, shell]", ["update environment/prod"]),
    ("environments/prod.yaml", "description: The real one.\n", "", ["update environment/prod"]),
    ("skills/shell.yaml", "timeout: 30", "timeout: 40", ["update skill/shell"]),
    ("skills/shell.yaml", "type: shell", "enabled: false\ntype: shell", ["update skill/shell"]),
    ("skills/shell.yaml", "enabled: false", "enabled: true", ["update skill/shell"]),
    ("skills/calm.yaml", "sleep", "python", ["replace skill/calm", "update environment/prod"]),
    ("policies/quiet.yaml", "package quiet", "package loud", ["update policy/quiet"]),
    ("worker_queues/main.yaml", "max_workers: 3", "max_workers: 4", ["update worker_queue/prod/main"]),
    ("jobs/daily.yaml", "Look around", "Look up", ["update job/daily"]),
    ("projects/shop/project.yaml", "goals: Sell.", "goals: Sell more.", ["update project/SHOP"]),
    ("projects/shop/project.yaml", "settings: {a: 1}", "settings: {b: 2}", ["update project/SHOP"]),
    ("projects/shop/agents/clerk.yaml", "You sell", "You buy", ["update agent/shop.clerk.prod"]),
    ("projects/shop/agents/clerk.yaml", "timeout: 5", "timeout: 6", ["update agent/shop.clerk.prod"]),
    ("projects/shop/teams/web/agents/bot.yaml", "[1, 2]", "[2]", ["update agent/shop.web.bot.prod"]),
    ("projects/shop/teams/web/team.yaml", "TEAM: web", "TEAM: net", ["update team/shop.web.prod"]),
    ("projects/shop/teams/web/team.yaml", "kind", "brief", ["update team/shop.web.prod"]),
    ("projects/shop/teams/web/team.yaml", "skill_ids: [calm]\n", "", ["update team/shop.web.prod"]),
    ("organization.yaml", "enforcement_enabled: true", "enforcement_enabled: false", ["update organization/"]),
]


def test_a_change_of_the_tree_is_that_change(small_site: Site) -> None:
    small_site.ok("kubiya", "apply")
    for path, before, after, expected in CHANGES:
        text = (small_site.root / path).read_text()
        assert before in text
        small_site.write({path: text.replace(before, after)})
        planned = changes(small_site)
        assert [prefix for prefix in expected if not any(change.startswith(prefix) for change in planned)] == [], path
        # The organization's settings have no marker, so a change by the tree counts as drift.
        assert small_site.run("kubiya", "drift").code == (4 if path == "organization.yaml" else 0), (path, after)
        # `apply` succeeds only if a new plan is empty afterwards.
        small_site.ok("kubiya", "apply")


def test_what_the_tree_no_longer_has_goes_with_prune_only(small_site: Site) -> None:
    small_site.ok("kubiya", "apply")
    small_site.write(
        {"jobs/daily.yaml": None, "worker_queues/main.yaml": None, "projects/shop/agents/clerk.yaml": None}
    )
    deletions = ["delete job/daily", "delete agent/shop.clerk.prod", "delete worker_queue/prod/main"]
    assert changes(small_site) == deletions
    assert small_site.run("kubiya", "drift").code == 0
    assert "3 objects that the tree no longer has would go with --prune" in small_site.run("kubiya", "apply").err
    assert changes(small_site) == deletions
    assert small_site.run("kubiya", "apply", "--prune", "--protect", "job/*").code == 1
    small_site.ok("kubiya", "apply", "--prune")
    assert changes(small_site) == []
    assert small_site.request("GET", "/jobs") == []


def test_what_others_made_is_never_touched(small_site: Site) -> None:
    small_site.request("POST", "/environments", {"name": "prod"})
    foreign = small_site.request("POST", "/agents", {"name": "theirs", "model_id": "m"})
    result = small_site.run("kubiya", "apply")
    assert (result.code, "ET906: environment/prod is there already" in result.err) == (1, True)
    assert small_site.objects("/agents").keys() == {"theirs"}
    environments = {environment["name"]: environment for environment in small_site.request("GET", "/environments")}
    small_site.request("DELETE", f"/environments/{environments['prod']['id']}")
    small_site.ok("kubiya", "apply", "--prune")
    assert small_site.objects("/agents")["theirs"] == {**foreign, "skills": foreign["skills"]}


def drifted(site: Site) -> list[dict[str, Any]]:
    """Return the changes that `drift` reports."""
    result = site.run("kubiya", "drift", "--output-format", "json")
    drift: list[dict[str, Any]] = json.loads(result.out)["changes"]
    assert result.code == (4 if drift else 0)
    return drift


DRIFT: list[tuple[str, str, dict[str, Any], str]] = [
    ("/environments", "prod", {"description": "mine now"}, "description"),
    ("/environments", "prod", {"execution_environment": {"env_vars": {"X": "1"}}}, "execution_environment"),
    ("/agents", "shop.clerk.prod", {"model_id": "other"}, "model_id"),
    ("/agents", "shop.web.bot.prod", {"environment_ids": []}, "environment_ids"),
    ("/teams", "shop.web.prod", {"description": "theirs"}, "description"),
    ("/projects", "Shop", {"goals": "none"}, "goals"),
    ("/skills", "shell", {"configuration": {"timeout": 1}}, "configuration"),
    ("/jobs", "daily", {"prompt_template": "Sleep."}, "prompt_template"),
    ("/worker-queues", "main", {"max_workers": 9}, "max_workers"),
]


def test_what_somebody_changes_is_drift_and_nothing_else(small_site: Site) -> None:
    small_site.ok("kubiya", "apply")
    assert drifted(small_site) == []
    # A change of the tree that is not applied yet is no drift.
    text = (small_site.root / "environments/test.yaml").read_text()
    small_site.write({"environments/test.yaml": f"description: New.\n{text}"})
    assert drifted(small_site) == []
    for path, name, body, field in DRIFT:
        # For a team with skills the server stores the change and then answers with an error.
        with suppress(HTTPError):
            small_site.request("PATCH", f"{path}/{small_site.objects(path)[name]['id']}", body)
        (change,) = drifted(small_site)
        assert [difference["field"] for difference in change["fields"]] == [field]
        small_site.ok("kubiya", "apply")
    assert drifted(small_site) == []


def test_what_somebody_removes_is_drift(small_site: Site) -> None:
    small_site.ok("kubiya", "apply")
    small_site.request("DELETE", f"/jobs/{small_site.objects('/jobs')['daily']['id']}")
    (change,) = drifted(small_site)
    assert (change["kind"], change["name"], change["reason"]) == ("job", "daily", "it was removed at the control plane")


def test_a_saved_plan_is_done_as_it_was_looked_at(small_site: Site) -> None:
    file = small_site.root.parent / "plan.json"
    small_site.ok("kubiya", "plan", "--out", str(file))
    small_site.write({"environments/prod.yaml": "description: Another one.\n"})
    small_site.ok("kubiya", "apply", str(file))
    assert small_site.objects("/environments")["prod"]["description"] == "The real one."
    assert "update environment/prod" in changes(small_site)
    small_site.ok("kubiya", "plan", "--out", str(file))
    small_site.request("PATCH", f"/environments/{small_site.objects('/environments')['test']['id']}", {"tags": ["x"]})
    result = small_site.run("kubiya", "apply", str(file))
    assert (result.code, "ET904" in result.err) == (1, True)
