"""`import` of a server that was filled by hand: the tree compiles, and its plan is empty."""

import json
from typing import Any

import pytest

from tests.end_to_end.control_plane.trees import Site
from tests.support.real_sops import make_age_user

pytestmark = pytest.mark.control_plane


def filled(site: Site) -> dict[str, str]:
    """Create more than thirty objects as people do; return the ids of those that the tests need."""
    site.plane.services.secrets[site.organization] |= {"DB_PASSWORD": "s3cret-from-the-vault", "TOKEN": "other-s3cret"}
    ids: dict[str, str] = {}

    def make(label: str, path: str, **body: Any) -> str:
        ids[label] = site.request("POST", path, body)["id"]
        return ids[label]

    site.request("GET", "/environments")
    common = {"REGION": "eu", "COMPANY": "Acme"}
    for name, stage in (("production", "live"), ("staging", "test"), ("sandbox", "play")):
        section = {"env_vars": {"STAGE": stage, "LEVEL": "info"}, "secrets": ["DB_PASSWORD"]}
        make(name, "/environments", name=name, description=f"For {stage}.", tags=[stage], execution_environment=section)
    for name, kind in (("read-files", "file_system"), ("ask", "shell"), ("count", "python"), ("wait", "sleep")):
        make(name, "/skills", name=name, type=kind, configuration={"timeout": 5} if kind == "shell" else {})
    for name in ("quiet", "careful"):
        make(name, "/policies", name=name, policy_content=f"package {name}\n\ndefault allow := false\n")
    for name in ("fast", "slow"):
        make(name, f"/environments/{ids['production']}/worker-queues", name=name, max_workers=2)
    for key, name in (("PLAT", "The Platform"), ("SHOP", "Shop")):
        make(key, "/projects", name=name, key=key, goals="Keep it up.", settings={"color": "red"})
    instructions = {"instructions": "Build.\nWell."}
    make("Builders", "/teams", name="Builders", description="They build.", configuration=instructions)
    for number in range(16):
        environment = ("production", "staging", "sandbox")[number % 3]
        section = {"env_vars": {**common, "NUMBER": str(number), "LEVEL": ("info", "debug")[number % 2]}}
        section |= {"secrets": ["TOKEN"]} if number == 3 else {}
        body = {"model_id": "kubiya/claude", "environment_ids": [ids[environment]], "skill_ids": [ids["ask"]]}
        name = f"Agent {number}" if number % 2 else f"agent-{number}"
        id = make(name, "/agents", name=name, system_prompt="Be\nbrief.", execution_environment=section, **body)
        site.request("POST", f"/projects/{ids['PLAT' if number < 6 else 'SHOP']}/agents", {"agent_id": id})
    members = [ids["agent-0"], ids["Agent 3"]]
    site.request("PATCH", f"/teams/{ids['Builders']}", {"configuration": {**instructions, "member_ids": members}})
    site.request("POST", f"/projects/{ids['PLAT']}/teams", {"team_id": ids["Builders"]})
    for name in ("nightly", "weekly"):
        worker = {"entity_type": "agent", "entity_id": ids["agent-2"]}
        make(name, "/jobs", name=name, trigger_type="manual", prompt_template="Go.", **worker)
    # Objects that a tree cannot express.
    make("Prod Env !", "/environments", name="Prod Env !")
    make("nowhere", "/agents", name="nowhere", model_id="m")
    return ids


def test_a_server_that_was_filled_by_hand(site: Site) -> None:
    ids = filled(site)
    before = {
        path: site.request("GET", path) for path in ("/agents", "/environments", "/projects", "/teams", "/skills")
    }
    reader, folder = make_age_user(site.root.parent / "keys", "reader"), site.root.parent / "imported"
    result = site.run("kubiya", "import", str(folder), "--age", reader.public)
    assert result.code == 0, result
    assert "s3cret" not in result.out + result.err + "".join(
        path.read_text() for path in folder.rglob("*.*") if path.is_file()
    )
    imported = site._replace(root=folder)
    imported_ids = json.loads((folder / ".envtree/control-plane.json").read_text())["ids"]
    assert len(imported_ids) >= 30, result.err
    assert [name for name in ids if f"{name}" in ("nowhere", "Prod Env !") and name in str(imported_ids)] == []
    assert "left alone: environment/Prod Env !: no file can have its name" in result.err
    assert "left alone: agent/nowhere" in result.err
    assert imported.run("check").code == 0
    plan = imported.plan()
    assert (plan["changes"], plan["taken"]) == ([], [])
    assert plan["unmanaged"] == ["agent/nowhere", "environment/Prod Env !", "environment/default", "project/DEFAULT"]
    assert {path: site.request("GET", path) for path in before} == before
    organization = (folder / "organization.yaml").read_text()
    assert "COMPANY: Acme" in organization
    assert "COMPANY" not in (folder / "projects/shop/agents/agent-6.yaml").read_text()
    changed = folder / "environments/production.yaml"
    changed.write_text(changed.read_text().replace("STAGE: live", "STAGE: real"))
    imported.ok("kubiya", "apply")
    assert imported.plan()["changes"] == []
    assert imported.resolved("agent", ids["agent-6"])["STAGE"] == "real"
    assert imported.resolved("agent", ids["agent-6"])["COMPANY"] == "Acme"


def test_one_object_is_taken_over(small_site: Site) -> None:
    foreign = small_site.request("POST", "/environments", {"name": "prod", "description": "Theirs."})
    assert small_site.run("kubiya", "apply").code == 1
    assert small_site.ok("kubiya", "import", "--adopt", "environment/prod") == "environment/prod\n"
    small_site.ok("kubiya", "apply")
    environment = small_site.objects("/environments")["prod"]
    assert (environment["id"], environment["description"]) == (foreign["id"], "The real one.")
    assert small_site.plan()["changes"] == []


def test_what_belongs_to_a_tree_already_gets_no_second_one(small_site: Site) -> None:
    small_site.ok("kubiya", "apply")
    result = small_site.run("kubiya", "import", str(small_site.root.parent / "second"))
    assert (result.code, "belong to a tree already" in result.err) == (1, True)
    assert not (small_site.root.parent / "second").exists()


def test_nothing_is_overwritten(small_site: Site) -> None:
    result = small_site.run("kubiya", "import", str(small_site.root))
    assert (result.code, "ET807" in result.err) == (1, True)
