"""Trees to apply, and the control plane's view of them."""

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

from tests.end_to_end.control_plane.forks import CommandResult, Fork
from tests.end_to_end.control_plane.keys import key_for
from tests.end_to_end.control_plane.server import ControlPlane

ROOT = Path(__file__).parents[3]
ACME = ROOT / "examples" / "acme"


class Site(NamedTuple):
    """A tree, and the server's organization with its name."""

    plane: ControlPlane
    organization: str
    root: Path

    @property
    def environ(self) -> dict[str, str]:
        """The environment in which a command reaches the server."""
        return {
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
            "PYTHONPATH": str(ROOT / "compiler"),
            "HOME": str(self.root.parent),
            "KUBIYA_API_KEY": key_for(self.organization),
            "KUBIYA_CONTROL_PLANE_BASE_URL": self.plane.url,
            "KUBIYA_BASE_URL": self.plane.services.url,
        }

    def run(self, *arguments: str, **environ: str) -> CommandResult:
        """Run a command on the tree."""
        return self.start(*arguments, environ=environ).wait()

    def start(
        self, *arguments: str, environ: Mapping[str, str] = {}, before: Callable[[], None] = lambda: None
    ) -> Fork:
        """Start a command; `before` is called in its process."""
        return Fork(["-C", str(self.root), *arguments], {**self.environ, **environ}, before)

    def ok(self, *arguments: str, **environ: str) -> str:
        """Run a command that must succeed, and return its output."""
        result = self.run(*arguments, **environ)
        assert result.code == 0, result
        return result.out

    def plan(self) -> dict[str, Any]:
        """Return a plan as data."""
        plan: dict[str, Any] = json.loads(self.ok("kubiya", "plan", "--output-format", "json"))
        return plan

    def request(self, method: str, path: str, body: Any = None) -> Any:
        """Make a request as someone else, without envtree."""
        request = urllib.request.Request(
            f"{self.plane.url}/api/v1{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"UserKey {key_for(self.organization)}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request) as response:
            text = response.read()
        return json.loads(text) if text else None

    def description(self) -> Any:
        """Return the server's OpenAPI document."""
        with urllib.request.urlopen(f"{self.plane.url}/api/openapi.json") as response:
            return json.load(response)

    def objects(self, path: str) -> dict[str, dict[str, Any]]:
        """Return the objects of a list by name."""
        return {live_object["name"]: live_object for live_object in self.request("GET", path)}

    def resolved(self, kind: str, id: str) -> dict[str, str]:
        """Return the variables that the server gives an agent or a team, with secrets."""
        variables: dict[str, str] = self.request("GET", f"/execution-environment/{kind}s/{id}/resolved")
        return variables

    def write(self, files: Mapping[str, str | None]) -> None:
        """Write files of the tree; None deletes one."""
        for path, text in files.items():
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            if text is None:
                (self.root / path).unlink()
            else:
                (self.root / path).write_text(text, encoding="utf-8")


def acme(root: Path, organization: str) -> None:
    """Copy the example for a test's organization, without a cron job."""
    shutil.copytree(ACME, root)
    organization_file = root / "organization.yaml"
    organization_file.write_text(re.sub(r"(?m)^name: .*$", f"name: {organization}", organization_file.read_text()))
    job = root / "jobs" / "morning-depot-report.yaml"
    job.write_text(re.sub(r"(?m)^cron_.*\n", "", job.read_text()).replace("trigger_type: cron", "trigger_type: manual"))


# One resource of each kind that the tests can run.
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
    """Write the small tree for a test's organization."""
    for path, text in SMALL.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(dedent(text).format(name=organization))
