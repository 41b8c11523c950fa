"""Random organizations: the server gives agents the compiled environment, before and after any change."""

import json
import shutil
from random import Random
from typing import Any

import pytest

from tests.end_to_end.control_plane.trees import Site
from tests.support.rounds import rounds

pytestmark = pytest.mark.control_plane

# Each takes seconds, and the session must end within minutes; set the variable to 100 for a longer run.
ORGANIZATIONS = rounds(gate=4, full=12)
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
    """Return a random part of an environment."""
    parts: dict[str, Any] = {"env_vars": {name: random.choice(TEXTS) for name in NAMES if random.random() < 0.4}}
    if random.random() < 0.3:
        parts["mcp_servers"] = {random.choice("xy"): {"command": "run", "args": [random.choice(TEXTS)]}}
    return {"execution_environment": {name: part for name, part in parts.items() if part}}


def files(random: Random, organization: str) -> dict[str, Any]:
    """Return the files of a random tree."""
    organization_data = {"name": organization, "edition": 2026, "default_model": "kubiya/claude", **section(random)}
    tree: dict[str, Any] = {"organization.yaml": organization_data}
    environments = random.sample(("dev", "test", "prod"), random.randint(1, 3))
    for name in environments:
        tree[f"environments/{name}.yaml"] = {"tags": random.sample(("a", "b"), 1), **section(random)}
    for name in random.sample(("calm", "fast"), random.randint(0, 2)):
        tree[f"skills/{name}.yaml"] = {"type": random.choice(("sleep", "python")), "description": random.choice("xyz")}
    skills = [path[7:-5] for path in tree if path.startswith("skills/")]
    for project in random.sample(("one", "two"), random.randint(1, 2)):
        project_folder = f"projects/{project}"
        tree[f"{project_folder}/project.yaml"] = {"key": project, "goals": random.choice("xyz"), **section(random)}
        for team in random.sample(("", "red", "blue"), random.randint(1, 3)):
            folder = f"{project_folder}/teams/{team}" if team else project_folder
            if team:
                configuration = {"instructions": random.choice(TEXTS[1:5])}
                tree[f"{folder}/team.yaml"] = {
                    "configuration": configuration,
                    "skill_ids": skills[:1],
                    **section(random),
                }
            for agent in random.sample(("bot", "clerk"), random.randint(1, 2)):
                prompt = {"system_prompt": random.choice(TEXTS[1:5]), "targets": environments[: random.randint(1, 3)]}
                tree[f"{folder}/agents/{agent}.yaml"] = {**prompt, "skill_ids": skills[-1:], **section(random)}
    return tree


def write(site: Site, tree: dict[str, Any]) -> None:
    for child in site.root.iterdir():
        if child.name != ".envtree":
            shutil.rmtree(child) if child.is_dir() else child.unlink()
    site.write({path: json.dumps(data, ensure_ascii=False) for path, data in tree.items()})


def check(site: Site, number: int) -> None:
    """Compare each agent's environment with its bundle, byte for byte."""
    out = site.root.parent / f"out-{number}"
    site.ok("compile", "-o", str(out))
    agents, compiled = site.objects("/agents"), set()
    for path in out.rglob("bundle.json"):
        bundle = json.loads(path.read_text())
        name = ".".join(filter(None, (bundle["project"], bundle["team"], bundle["agent"], bundle["environment"])))
        assert site.resolved("agent", agents[name]["id"]) == bundle["env_vars"], name
        compiled.add(name)
    assert agents.keys() == compiled


@pytest.mark.parametrize("seed", range(ORGANIZATIONS))
def test_what_arrives_is_what_was_compiled(seed: int, site: Site) -> None:
    random = Random(seed)
    for number in range(2):
        write(site, files(random, site.organization))
        site.ok("kubiya", "apply", "--prune")
        check(site, number)
        assert site.run("kubiya", "plan", "--detailed-exitcode").code == 0
        assert site.run("kubiya", "drift").code == 0
    (site.root / ".envtree/control-plane.json").unlink()
    assert site.run("kubiya", "plan", "--detailed-exitcode").code == 0
