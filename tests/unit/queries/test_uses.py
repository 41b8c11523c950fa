"""The examples of using a bundle: their commands are run, and the real programs get the values of the bundle."""

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.end_to_end.test_readme import ROOT, USES, copy, environ, play
from tests.support import env_readers, programs
from tests.support.github_runner import log_commands

__all__ = ["copy", "environ"]

VARIABLES = {"LOG_LEVEL": "info", "SERVICE_NAME": "helper-production"}
BUNDLE = "out/production/default/helper"
# The discovery data of a cluster, as far as kubectl requests it.
DISCOVERY: dict[str, dict[str, Any]] = {
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/apis": {
        "kind": "APIGroupList",
        "groups": [
            {
                "name": "apps",
                "versions": [{"groupVersion": "apps/v1", "version": "v1"}],
                "preferredVersion": {"groupVersion": "apps/v1", "version": "v1"},
            }
        ],
    },
    "/api/v1": {
        "kind": "APIResourceList",
        "groupVersion": "v1",
        "resources": [
            {"name": "configmaps", "kind": "ConfigMap", "namespaced": True, "verbs": ["create", "get"]},
            {"name": "secrets", "kind": "Secret", "namespaced": True, "verbs": ["create", "get"]},
        ],
    },
    "/apis/apps/v1": {
        "kind": "APIResourceList",
        "groupVersion": "apps/v1",
        "resources": [{"name": "deployments", "kind": "Deployment", "namespaced": True, "verbs": ["create", "get"]}],
    },
}


@pytest.fixture
def home(environ: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """Return the environment, with a separate home folder."""
    folders = dict.fromkeys(("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"), str(tmp_path))
    return {**environ, **folders, "DIRENV_LOG_FORMAT": "", "KUBECONFIG": "", "SYSTEMD_LOG_LEVEL": "warning"}


def compile_to(folder: Path, home: dict[str, str], *options: str) -> None:
    command = ["envtree", "-C", "../minimal", "compile", "-o", "out", *options]
    subprocess.run([programs.program("bash"), "-c", 'exec "$@"', "bash", *command], cwd=folder, env=home, check=True)


@pytest.mark.parametrize("use", USES)
def test_the_commands_of_an_example_print_what_is_shown(use: str, copy: Path, home: dict[str, str]) -> None:
    for program in ("docker-compose", "kubectl", "systemd-analyze", "direnv"):
        programs.program(program)
    play(f"examples/{use}/README.md", copy / "examples" / use, home)


def test_docker_compose_gives_the_container_the_variables(copy: Path, home: dict[str, str]) -> None:
    folder = copy / "examples/docker-compose"
    compile_to(folder, home)
    shown = env_readers.run(folder, "docker-compose", "config", "--format", "json")
    assert json.loads(shown)["services"]["helper"]["environment"] == VARIABLES


@contextmanager
def cluster() -> Iterator[str]:
    """Serve an address that answers kubectl like an empty cluster."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            resource = DISCOVERY.get(self.path.partition("?")[0])
            missing = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}
            body = json.dumps({"apiVersion": "v1", **(resource or missing)}).encode()
            self.send_response(200 if resource else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def test_kubectl_applies_the_objects(copy: Path, home: dict[str, str]) -> None:
    folder = copy / "examples/kubernetes"
    compile_to(folder, home, "--format", "k8s")
    with cluster() as address:
        command = ("kubectl", f"--server={address}", "apply", "-k", ".", "--dry-run=client", "--validate=false")
        lines = env_readers.run(folder, *command).decode().splitlines()
    assert lines == [
        "configmap/default.helper.production created (dry run)",
        "deployment.apps/helper created (dry run)",
    ]
    objects: dict[str, Any] = {
        document["kind"]: document
        for document in yaml.safe_load_all(env_readers.run(folder, "kubectl", "kustomize", "."))
    }
    taken = objects["Deployment"]["spec"]["template"]["spec"]["containers"][0]["envFrom"]
    assert taken[0]["configMapRef"]["name"] == objects["ConfigMap"]["metadata"]["name"]
    assert objects["ConfigMap"]["data"] == VARIABLES


def test_systemd_takes_the_unit_and_reads_the_file(copy: Path, home: dict[str, str]) -> None:
    folder = copy / "examples/systemd"
    compile_to(folder, home, "--format", "systemd")
    unit = (folder / "helper.service").read_text()
    assert "EnvironmentFile=/srv/agents/production/default/helper/env.systemd\n" in unit
    assert env_readers.systemd((folder / BUNDLE / "env.systemd").read_bytes(), folder) == VARIABLES


def test_direnv_sets_the_variables_of_the_bundle(copy: Path, home: dict[str, str]) -> None:
    folder = copy / "examples/direnv"
    for command in (["allow", "."], ["export", "json"]):
        shown = subprocess.run(
            [programs.program("direnv"), *command], cwd=folder, env=home, check=True, capture_output=True
        )
    variables = json.loads(shown.stdout)
    assert {name: variables[name] for name in VARIABLES} == {"LOG_LEVEL": "debug", "SERVICE_NAME": "helper-development"}
    assert "organization.yaml" in json.dumps(variables) or "DIRENV_WATCHES" in variables


def test_the_step_on_github_masks_before_it_sets(copy: Path, home: dict[str, str], tmp_path: Path) -> None:
    workflow = yaml.safe_load((ROOT / "examples/github/use-bundle.yml").read_text())
    (script,) = (step["run"] for step in workflow["jobs"]["deploy"]["steps"] if step["name"].startswith("Take"))
    variables = tmp_path / "github-env"
    temporary = tmp_path / "runner"
    temporary.mkdir()
    surroundings = {
        **{**home, "ENVTREE": "envtree", "GITHUB_ENV": str(variables), "RUNNER_TEMP": str(temporary)},
        "SOPS_AGE_KEY": (copy / "examples/acme/age.key").read_text(),
    }
    command = [programs.program("bash"), "-e", "-o", "pipefail", "-c", script]
    completed = subprocess.run(
        command, cwd=copy / "examples/acme", env=surroundings, capture_output=True, text=True, check=True
    )
    pairs = env_readers.github_pairs(variables.read_text())
    assert pairs["SERVICE_NAME"] == "shop-refund-clerk"
    masked = {command.data for command in log_commands(completed.stdout) if command.name == "add-mask"}
    secret = {"DATABASE_URL", "PAYMENTS_API_KEY", "PAYMENTS_WEBHOOK_SECRET", "TELEMETRY_TOKEN"}
    assert masked == {pairs[name] for name in secret}
    assert not any(pairs[name] in completed.stderr for name in secret)
    assert list(temporary.iterdir()) == []
