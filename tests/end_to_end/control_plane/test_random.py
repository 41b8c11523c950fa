"""Random organizations: what the server gives agents is what we compiled, before and after any change."""

import json
import os
import shutil
from random import Random
from typing import Any

import pytest

from tests.end_to_end.control_plane.trees import Site

pytestmark = pytest.mark.control_plane

# The stage has to end within minutes, and each takes seconds; who has more time asks for a hundred.
ORGANIZATIONS = int(os.environ.get("ENVTREE_TEST_ORGANIZATIONS", "12"))
TEXTS = (
    "",
    "a",
    "Ünïcödé ☂",
    "two\nlines",
    "'single' \"double\"",
    "{{.env.A}}",
    "$HOME `id`",
    "  blanks  ",
    "0755",
    "null",
)
NAMES = ("A", "B", "C", "LEVEL", "URL")


def section(random: Random) -> dict[str, Any]:
    """A part of an environment."""
    found: dict[str, Any] = {"env_vars": {name: random.choice(TEXTS) for name in NAMES if random.random() < 0.4}}
    if random.random() < 0.3:
        found["mcp_servers"] = {random.choice("xy"): {"command": "run", "args": [random.choice(TEXTS)]}}
    return {"execution_environment": {name: part for name, part in found.items() if part}}


def files(random: Random, organization: str) -> dict[str, Any]:
    """A tree."""
    head = {"name": organization, "edition": 2026, "default_model": "kubiya/claude", **section(random)}
    found: dict[str, Any] = {"organization.yaml": head}
    environments = random.sample(("dev", "test", "prod"), random.randint(1, 3))
    for name in environments:
        found[f"environments/{name}.yaml"] = {"tags": random.sample(("a", "b"), 1), **section(random)}
    for name in random.sample(("calm", "fast"), random.randint(0, 2)):
        found[f"skills/{name}.yaml"] = {"type": random.choice(("sleep", "python")), "description": random.choice("xyz")}
    skills = [path[7:-5] for path in found if path.startswith("skills/")]
    for project in random.sample(("one", "two"), random.randint(1, 2)):
        home = f"projects/{project}"
        found[f"{home}/project.yaml"] = {"key": project, "goals": random.choice("xyz"), **section(random)}
        for team in random.sample(("", "red", "blue"), random.randint(1, 3)):
            folder = f"{home}/teams/{team}" if team else home
            if team:
                said = {"instructions": random.choice(TEXTS[1:5])}
                found[f"{folder}/team.yaml"] = {"configuration": said, "skill_ids": skills[:1], **section(random)}
            for agent in random.sample(("bot", "clerk"), random.randint(1, 2)):
                prompt = {"system_prompt": random.choice(TEXTS[1:5]), "targets": environments[: random.randint(1, 3)]}
                found[f"{folder}/agents/{agent}.yaml"] = {**prompt, "skill_ids": skills[-1:], **section(random)}
    return found


def write(site: Site, tree: dict[str, Any]) -> None:
    for child in site.root.iterdir():
        if child.name != ".envtree":
            shutil.rmtree(child) if child.is_dir() else child.unlink()
    site.write({path: json.dumps(data, ensure_ascii=False) for path, data in tree.items()})


def check(site: Site, number: int) -> None:
    """Compare what each agent gets with its bundle, byte for byte."""
    out = site.root.parent / f"out-{number}"
    site.ok("compile", "-o", str(out))
    agents, seen = site.objects("/agents"), set()
    for path in out.rglob("bundle.json"):
        one = json.loads(path.read_text())
        name = ".".join(filter(None, (one["project"], one["team"], one["agent"], one["environment"])))
        assert site.resolved("agent", agents[name]["id"]) == one["env_vars"], name
        seen.add(name)
    assert agents.keys() == seen


@pytest.mark.parametrize("seed", range(ORGANIZATIONS))
def test_what_arrives_is_what_was_compiled(seed: int, site: Site) -> None:
    random = Random(seed)
    for number in range(2):
        write(site, files(random, site.organization))
        site.ok("apply", "--prune")
        check(site, number)
        assert site.run("plan", "--detailed-exitcode").code == 0
        assert site.run("drift").code == 0
    (site.root / ".envtree/control-plane.json").unlink()
    assert site.run("plan", "--detailed-exitcode").code == 0
