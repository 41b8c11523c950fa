"""Applying: what arrives, what changes, what goes, and what is left alone."""

import json
from contextlib import suppress
from typing import Any
from urllib.error import HTTPError

import pytest

from tests.end_to_end.control_plane.trees import Site

pytestmark = pytest.mark.control_plane


def changes(site: Site) -> list[str]:
    """What a plan would do."""
    return [f"{one['action']} {one['kind']}/{one['name']}" for one in site.plan()["changes"]]


def test_everything_arrives(little: Site) -> None:
    little.ok("apply")
    assert changes(little) == []
    prod = little.objects("/environments")["prod"]
    assert prod["tags"] == ["a", "b"]
    assert prod["settings"]["color"] == "red"
    agents = little.objects("/agents")
    clerk, bot = agents["shop.clerk.prod"], agents["shop.web.bot.prod"]
    assert little.resolved("agent", bot["id"]) == {"LOG_LEVEL": "debug", "REGION": "eu", "STAGE": "prod", "TEAM": "web"}
    assert (clerk["system_prompt"], clerk["skills"][0]["configuration"]) == (
        "You sell.",
        {"allowed_commands": ["ls"], "timeout": 5},
    )
    teams = little.objects("/teams")
    assert [one["id"] for one in teams["shop.web.prod"]["agents"]] == [bot["id"]]
    assert little.resolved("team", teams["shop.web.prod"]["id"])["TEAM"] == "web"
    project = little.objects("/projects")["Shop"]
    assert (project["goals"], project["agent_count"], project["team_count"]) == ("Sell.", 3, 2)
    assert project["settings"]["a"] == 1
    assert little.ask("GET", "/organization/settings")["enforcement_enabled"] is True


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


def test_a_change_of_the_tree_is_that_change(little: Site) -> None:
    little.ok("apply")
    for path, before, after, changed in CHANGES:
        text = (little.root / path).read_text()
        assert before in text
        little.write({path: text.replace(before, after)})
        planned = changes(little)
        assert [one for one in changed if not any(each.startswith(one) for each in planned)] == [], path
        # Only of the organization's settings nobody can tell who has changed them.
        assert little.run("drift").code == (path == "organization.yaml"), (path, after)
        # It ends well only if a plan has nothing left to do.
        little.ok("apply")


def test_what_the_tree_no_longer_has_goes_with_prune_only(little: Site) -> None:
    little.ok("apply")
    little.write({"jobs/daily.yaml": None, "worker_queues/main.yaml": None, "projects/shop/agents/clerk.yaml": None})
    gone = ["delete job/daily", "delete agent/shop.clerk.prod", "delete worker_queue/prod/main"]
    assert changes(little) == gone
    assert little.run("drift").code == 0
    assert "3 objects that the tree no longer has would go with --prune" in little.run("apply").err
    assert changes(little) == gone
    assert little.run("apply", "--prune", "--protect", "job/*").code == 1
    little.ok("apply", "--prune")
    assert changes(little) == []
    assert little.ask("GET", "/jobs") == []


def test_what_others_made_is_never_touched(little: Site) -> None:
    little.ask("POST", "/environments", {"name": "prod"})
    other = little.ask("POST", "/agents", {"name": "theirs", "model_id": "m"})
    ran = little.run("apply")
    assert (ran.code, "ET906: environment/prod is there already" in ran.err) == (1, True)
    assert little.objects("/agents").keys() == {"theirs"}
    found = {one["name"]: one for one in little.ask("GET", "/environments")}
    little.ask("DELETE", f"/environments/{found['prod']['id']}")
    little.ok("apply", "--prune")
    assert little.objects("/agents")["theirs"] == {**other, "skills": other["skills"]}


def moved(site: Site) -> list[dict[str, Any]]:
    """What drift finds."""
    ran = site.run("drift", "--format", "json")
    found: list[dict[str, Any]] = json.loads(ran.out)["changes"]
    assert ran.code == (1 if found else 0)
    return found


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


def test_what_somebody_changes_is_drift_and_nothing_else(little: Site) -> None:
    little.ok("apply")
    assert moved(little) == []
    # A change of the tree that waits is none.
    text = (little.root / "environments/test.yaml").read_text()
    little.write({"environments/test.yaml": f"description: New.\n{text}"})
    assert moved(little) == []
    for path, name, body, field in DRIFT:
        # Of a team with skills the server fails to tell what it has stored.
        with suppress(HTTPError):
            little.ask("PATCH", f"{path}/{little.objects(path)[name]['id']}", body)
        (found,) = moved(little)
        assert [each["field"] for each in found["fields"]] == [field]
        little.ok("apply")
    assert moved(little) == []


def test_what_somebody_removes_is_drift(little: Site) -> None:
    little.ok("apply")
    little.ask("DELETE", f"/jobs/{little.objects('/jobs')['daily']['id']}")
    (found,) = moved(little)
    assert (found["kind"], found["name"], found["reason"]) == ("job", "daily", "it was removed at the control plane")


def test_a_saved_plan_is_done_as_it_was_looked_at(little: Site) -> None:
    file = little.root.parent / "plan.json"
    little.ok("plan", "--out", str(file))
    little.write({"environments/prod.yaml": "description: Another one.\n"})
    little.ok("apply", str(file))
    assert little.objects("/environments")["prod"]["description"] == "The real one."
    assert "update environment/prod" in changes(little)
    little.ok("plan", "--out", str(file))
    little.ask("PATCH", f"/environments/{little.objects('/environments')['test']['id']}", {"tags": ["x"]})
    ran = little.run("apply", str(file))
    assert (ran.code, "ET904" in ran.err) == (1, True)
