"""Every action and workflow over a tree that would like to run code: nothing of it runs, and all steps succeed."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.support.action_wheels import wheels
from tests.support.github_runner import ACTIONS, REPOSITORY, ROOT, Api, serve_api
from tests.support.github_workflow import ACTION_CHECKOUT, Job, base_environ, play_action, play_workflow

EXAMPLES = sorted((ROOT / "examples" / "github").glob("*.yml"))
# These ask the control plane; the session `control-plane` plays them.
WITH_CONTROL_PLANE = {path for path in EXAMPLES if "KUBIYA_API_KEY" in path.read_text("utf-8")}
GITLAB = ROOT / "examples" / "gitlab" / ".gitlab-ci.yml"
ACME = ROOT / "examples" / "acme"
MODULES = {
    *sys.stdlib_module_names,
    *("pip", "setuptools", "wheel", "hatchling", "pathspec", "pluggy", "packaging", "sitecustomize", "usercustomize"),
    *("envtree", "yaml", "jinja2", "markupsafe", "click", "jsonschema", "jsonschema_rs", "orjson", "re2", "deepmerge"),
    *("comment", "changes", "markdown", "check", "httpx", "nacl", "zstandard", "_distutils_hack"),
}
PROGRAMS = (
    "git",
    "bash",
    "sh",
    "tar",
    "sops",
    "python",
    "python3",
    "pip",
    "pip3",
    "gh",
    "rm",
    "cat",
    "test",
    "envtree",
    "age",
)
COMMIT = "a" * 40
HOSTILE_NAME = "$(touch PWNED)`touch PWNED`;touch PWNED;'\"|&.txt"


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """A file that exists once any code of the tree has run."""
    return tmp_path / "canary"


def plant(tree: Path, canary: Path) -> None:
    """Put modules, programs, settings and names that would run code into a tree, and commit it."""
    shutil.copytree(ACME, tree, dirs_exist_ok=True)
    (canary.parent / "precious").mkdir()
    (canary.parent / "precious" / "file").write_text("keep me\n", encoding="utf-8")
    code = f"import os; os.system('echo ' + __name__ + ' $SOPS_AGE_KEY >> {canary}')\n"
    for name in MODULES:
        (tree / f"{name}.py").write_text(code, encoding="utf-8")
    for name in ("pip", "venv", "ensurepip"):
        (tree / name).mkdir()
        for module in ("__init__", "__main__"):
            (tree / name / f"{module}.py").write_text(code, encoding="utf-8")
    for name in PROGRAMS:
        program = tree / name
        if not program.exists():
            program.write_text(f"#!/bin/sh\necho {name} >> {canary}\n", encoding="utf-8")
            program.chmod(0o755)
    for name, text in {
        "hostile.pth": code,
        "pyvenv.cfg": "include-system-site-packages = true\n",
        "setup.py": code,
        "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "setup"\nbackend-path = ["."]\n',
        "conftest.py": code,
        "pip.conf": "[install]\nno-deps = true\n",
        ".gitattributes": "* filter=hostile diff=hostile\n",
        ".python-version": "9.9\n",
        HOSTILE_NAME: "\n",
    }.items():
        (tree / name).write_text(text, encoding="utf-8")
    (tree / ACTION_CHECKOUT).symlink_to(canary.parent / "precious")
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.invalid")
    for arguments in (
        ("init", "-q", "-b", "$(touch${IFS}PWNED)"),
        ("config", "core.fsmonitor", f"echo fsmonitor >> {canary}"),
        ("config", "filter.hostile.clean", f"echo clean >> {canary}; cat"),
        ("config", "filter.hostile.smudge", f"echo smudge >> {canary}; cat"),
        (*identity, "commit", "-q", "--allow-empty", "-m", "first"),
        (*identity, "commit", "-q", "--allow-empty", "-m", HOSTILE_NAME),
    ):
        subprocess.run(["git", *arguments], cwd=tree, check=True)
    canary.unlink(missing_ok=True)


@pytest.fixture
def report(tmp_path: Path) -> Path:
    """The report of a check, as JSON."""
    path = tmp_path / "report.json"
    command = [
        sys.executable,
        "-m",
        "envtree",
        "-C",
        str(ROOT / "examples/minimal"),
        "check",
        "--report",
        f"json={path}",
    ]
    subprocess.run(command, check=True, capture_output=True)
    return path


@pytest.fixture
def api() -> Iterator[Api]:
    """The API of GitHub, which knows one pull request."""
    with serve_api({f"/repos/{REPOSITORY}/pulls": [{"number": 1, "head": {"sha": COMMIT}}]}) as api:
        yield api


@pytest.fixture
def job(tmp_path: Path, canary: Path, report: Path, api: Api) -> Job:
    """A machine whose checkout is a hostile tree, and whose `gh` downloads a report or does nothing."""
    tree, programs = tmp_path / "tree", tmp_path / "programs"
    for folder in (tree, programs, tmp_path / "temp", tmp_path / "artifacts", tmp_path / "workspace"):
        folder.mkdir()
    plant(tree, canary)
    download = f'mkdir -p "$last"; cp {report} "$last/envtree.json"'
    gh = programs / "gh"
    gh.write_text(f'#!/bin/sh\nfor last; do :; done\nif test "$1" = run; then {download}; fi\n', encoding="utf-8")
    gh.chmod(0o755)
    run = {"event": "pull_request", "head_branch": HOSTILE_NAME, "head_sha": COMMIT, "id": 1}
    run |= {"conclusion": "success", "head_repository": {"owner": {"login": "acme"}, "full_name": "acme/config"}}
    contexts = {
        "runner": {"temp": str(tmp_path / "temp")},
        "secrets": {"SOPS_AGE_KEY": _age_key()},
        "github": {"token": "a-token", "ref": f"refs/heads/{HOSTILE_NAME}", "event": {"workflow_run": run}},
    }

    def check_out(workspace: Path) -> None:
        shutil.copytree(tree, workspace, symlinks=True, dirs_exist_ok=True)

    environ = base_environ(programs) | {
        "PIP_FIND_LINKS": str(wheels()),
        "PIP_NO_INDEX": "1",
        "PIP_NO_COMPILE": "1",
        "GITHUB_API_URL": api.url,
    }
    return Job(
        workspace=tmp_path / "workspace",
        temp=tmp_path / "temp",
        artifacts=tmp_path / "artifacts",
        checkout=check_out,
        environ=environ,
        contexts=contexts,
    )


def _age_key() -> str:
    lines = (ACME / "age.key").read_text("utf-8").splitlines()
    return next(line for line in lines if line.startswith("AGE-SECRET-KEY-"))


def assert_nothing_ran(canary: Path) -> None:
    """Fail if any code of the tree ran, or if something behind a link was changed."""
    assert not canary.exists(), canary.read_text("utf-8")
    assert (canary.parent / "precious" / "file").read_text("utf-8") == "keep me\n"
    assert not list(canary.parent.rglob("PWNED"))


@pytest.mark.slow
@pytest.mark.parametrize("workflow", sorted({*EXAMPLES} - WITH_CONTROL_PLANE), ids=lambda path: path.stem)
def test_t57_no_workflow_runs_anything_of_the_tree(workflow: Path, job: Job, canary: Path, api: Api) -> None:
    play_workflow(workflow, job)
    assert_nothing_ran(canary)
    if workflow.stem == "comment":
        assert "POST" in [request.method for request in api.requests]


@pytest.mark.slow
@pytest.mark.parametrize("action", sorted(path.parent.name for path in ACTIONS.glob("*/action.yml")))
def test_t57_no_action_runs_anything_of_the_tree(action: str, job: Job, canary: Path, report: Path) -> None:
    job.checkout(job.workspace)
    given = {"report": str(report), "diff": str(report)} if action == "comment" else {}
    play_action(action, job, given)
    assert_nothing_ran(canary)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["envtree check", "envtree build"])
def test_t57_no_job_of_gitlab_runs_anything_of_the_tree(name: str, job: Job, canary: Path, tmp_path: Path) -> None:
    jobs = yaml.safe_load(GITLAB.read_text("utf-8"))
    job.checkout(job.workspace)
    # The image's Python: a virtual environment into which the job installs.
    subprocess.run([sys.executable, "-I", "-m", "venv", str(tmp_path / "image")], check=True)
    script = "\n".join([*jobs[".envtree"]["before_script"], *jobs[name]["script"]]).replace("/tmp", str(job.temp))
    revision = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True)
    environ = {
        **job.environ,
        **{key: value.replace("/tmp", str(job.temp)) for key, value in jobs[".envtree"]["variables"].items()},
        **jobs[name].get("variables", {}),
        "ENVTREE_REPOSITORY": str(ROOT),
        "ENVTREE_REVISION": revision.stdout.strip(),
        "PATH": f"{tmp_path / 'image/bin'}:{job.environ['PATH']}",
        "SOPS_AGE_KEY_FILE": str(ACME / "age.key"),
        "HOME": str(job.temp),
    }
    done = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", script],
        cwd=job.workspace,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert_nothing_ran(canary)


def test_the_tree_is_hostile(tmp_path: Path, canary: Path) -> None:
    """A program that imports from the working directory leaves a trace."""
    plant(tmp_path / "tree", canary)
    subprocess.run([sys.executable, "-m", "venv", "x"], cwd=tmp_path / "tree", check=False, capture_output=True)
    assert canary.exists()
