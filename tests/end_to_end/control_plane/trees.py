"""Trees to apply, and what the control plane makes of them."""

import json
import os
import re
import shutil
import sys
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any, NamedTuple

from tests.end_to_end.control_plane.forks import Fork, Ran
from tests.end_to_end.control_plane.keys import key_for
from tests.end_to_end.control_plane.server import ControlPlane

ROOT = Path(__file__).parents[3]
ACME = ROOT / "examples" / "acme"


class Site(NamedTuple):
    """A tree, and an organization of its name on the server."""

    plane: ControlPlane
    organization: str
    root: Path

    @property
    def environ(self) -> dict[str, str]:
        """What a command needs to get there."""
        return {
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
            "PYTHONPATH": str(ROOT / "compiler"),
            "HOME": str(self.root.parent),
            "KUBIYA_API_KEY": key_for(self.organization),
            "KUBIYA_CONTROL_PLANE_BASE_URL": self.plane.url,
            "KUBIYA_BASE_URL": self.plane.services.url,
        }

    def run(self, *arguments: str, **more: str) -> Ran:
        """Run a command over the tree."""
        return self.start(*arguments, environ=more).wait()

    def start(
        self, *arguments: str, environ: Mapping[str, str] = {}, before: Callable[[], None] = lambda: None
    ) -> Fork:
        """Start a command; `before` is called in its process."""
        return Fork(["-C", str(self.root), *arguments], {**self.environ, **environ}, before)

    def ok(self, *arguments: str, **more: str) -> str:
        """The same, where it has to pass; what it answers."""
        ran = self.run(*arguments, **more)
        assert ran.code == 0, ran
        return ran.out

    def plan(self) -> dict[str, Any]:
        """A plan, as data."""
        found: dict[str, Any] = json.loads(self.ok("plan", "--format", "json"))
        return found

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """A request of somebody else's."""
        request = urllib.request.Request(
            f"{self.plane.url}/api/v1{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"UserKey {key_for(self.organization)}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def description(self) -> Any:
        """What the server says of its API."""
        with urllib.request.urlopen(f"{self.plane.url}/api/openapi.json") as answer:
            return json.load(answer)

    def objects(self, path: str) -> dict[str, dict[str, Any]]:
        """What a list of the server has, by name."""
        return {one["name"]: one for one in self.ask("GET", path)}

    def resolved(self, kind: str, id: str) -> dict[str, str]:
        """What the server gives an agent or a team, secrets included."""
        found: dict[str, str] = self.ask("GET", f"/execution-environment/{kind}s/{id}/resolved")
        return found

    def write(self, files: Mapping[str, str | None]) -> None:
        """Change files of the tree."""
        for path, text in files.items():
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            if text is None:
                (self.root / path).unlink()
            else:
                (self.root / path).write_text(text, encoding="utf-8")


def acme(root: Path, organization: str) -> None:
    """The example, as the organization of a test; nothing here can run a job by the clock."""
    shutil.copytree(ACME, root)
    head = root / "organization.yaml"
    head.write_text(re.sub(r"(?m)^name: .*$", f"name: {organization}", head.read_text()))
    job = root / "jobs" / "morning-depot-report.yaml"
    job.write_text(re.sub(r"(?m)^cron_.*\n", "", job.read_text()).replace("trigger_type: cron", "trigger_type: manual"))


# One of each kind that the tests can run.
SMALL = {
    "organization.yaml": """\
        name: {name}
        edition: 2026
        default_model: kubiya/claude-sonnet-4-5
        enforcement_enabled: true
        execution_environment:
          env_vars: {{LOG_LEVEL: info, REGION: eu}}
        """,
    "environments/prod.yaml": """\
        description: The real one.
        tags: [a, b]
        settings: {{color: red}}
        skill_ids: [calm]
        execution_environment:
          env_vars: {{STAGE: prod}}
        """,
    "environments/test.yaml": "execution_environment: {{env_vars: {{STAGE: test}}}}",
    "skills/calm.yaml": "type: sleep",
    "skills/shell.yaml": """\
        type: shell
        description: A few commands.
        configuration: {{allowed_commands: [ls], timeout: 30}}
        """,
    "policies/quiet.yaml": """\
        policy_content: package quiet
        bindings: [{{entity_type: environment, entity_id: prod}}]
        """,
    "worker_queues/main.yaml": "{{environment: prod, max_workers: 3}}",
    "jobs/daily.yaml": """\
        trigger_type: manual
        planning_mode: predefined_agent
        entity_type: agent
        entity_id: shop/clerk
        environment_name: prod
        prompt_template: Look around.
        """,
    "projects/shop/project.yaml": "{{name: Shop, key: SHOP, goals: Sell., settings: {{a: 1}}, policy_ids: [quiet]}}",
    "projects/shop/agents/clerk.yaml": """\
        targets: [prod]
        system_prompt: You sell.
        skill_ids: [shell]
        skill_configurations: {{shell: {{timeout: 5}}}}
        """,
    "projects/shop/teams/web/team.yaml": """\
        description: Builds it.
        skill_ids: [calm]
        configuration: {{instructions: Be kind., markdown: false}}
        execution_environment: {{env_vars: {{TEAM: web}}}}
        """,
    "projects/shop/teams/web/agents/bot.yaml": """\
        configuration: {{depth: {{of: [1, 2]}}}}
        execution_environment:
          env_vars: {{LOG_LEVEL: debug}}
          mcp_servers: {{files: {{command: mcp-files, args: [-v]}}}}
        """,
}


def small(root: Path, organization: str) -> None:
    """The small tree, as the organization of a test."""
    for path, text in SMALL.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(dedent(text).format(name=organization))
