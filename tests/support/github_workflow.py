"""Play a workflow or a composite action of GitHub on a workspace.

Steps run in order, with expressions and the actions of this repository. Other people's actions are imitated as far as
the workflows here use them: `checkout` copies a tree, artifacts are copied into a folder, `setup-python` does nothing.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tests.support.github_runner import ACTIONS, REPOSITORY, ROOT, file_values

# Where the reusable workflow puts the repository of the actions.
ACTION_CHECKOUT = ".envtree-action"
_EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}")
_WORDS = re.compile(r"'[^']*'|[A-Za-z_][\w-]*(?:\.[A-Za-z_*][\w-]*)*|&&|\|\||!(?!=)")


class Job(NamedTuple):
    """A machine that runs steps: its folders, and the variables and contexts that all steps see."""

    workspace: Path
    temp: Path
    artifacts: Path
    checkout: Callable[[Path], None]
    environ: Mapping[str, str]
    contexts: Mapping[str, Any]


class StepError(AssertionError):
    """A step failed; its text is the log."""


def play_workflow(path: Path, job: Job) -> None:
    """Run all jobs of a workflow one after the other, a matrix as often as it has values, on one machine."""
    for definition in yaml.safe_load(path.read_text("utf-8"))["jobs"].values():
        matrix = definition.get("strategy", {}).get("matrix", {})
        name, values = next(iter(matrix.items()), ("", [None]))
        for value in values:
            contexts = {
                **job.contexts,
                "matrix": {name: value},
                "strategy": {"job-total": len(values)},
            }
            if "uses" in definition:
                called = ROOT / definition["uses"].removeprefix("OWNER/envtree/").partition("@")[0]
                inputs = {
                    key: given.get("default", "")
                    for key, given in yaml.safe_load(called.read_text("utf-8"))[True]["workflow_call"]["inputs"].items()
                }
                inputs |= definition.get("with", {})
                play_workflow(called, job._replace(contexts={**contexts, "inputs": inputs}))
            else:
                shutil.rmtree(job.workspace, ignore_errors=True)
                job.workspace.mkdir()
                play_steps(definition["steps"], job._replace(contexts=contexts))


def play_action(name: str, job: Job, given: Mapping[str, Any]) -> dict[str, str]:
    """Run the steps of a composite action of this repository; its outputs."""
    action = yaml.safe_load((ACTIONS / name / "action.yml").read_text("utf-8"))
    inputs = {key: each.get("default", "") for key, each in action.get("inputs", {}).items()}
    contexts = {**job.contexts, "inputs": {key: _fill(value, job.contexts, {}) for key, value in inputs.items()}}
    contexts["inputs"] |= given
    inner = job._replace(contexts=contexts, environ={**job.environ, "GITHUB_ACTION_PATH": str(ACTIONS / name)})
    outputs = play_steps(action["runs"]["steps"], inner)
    return {key: _fill(each["value"], contexts, outputs) for key, each in action.get("outputs", {}).items()}


def play_steps(steps: list[dict[str, Any]], job: Job) -> dict[str, dict[str, str]]:
    """Run steps; the outputs of each that has an id."""
    outputs: dict[str, dict[str, str]] = {}
    # What a step writes into GITHUB_ENV, the later ones have.
    exported: dict[str, str] = {}
    for step in steps:
        if "if" in step and not evaluate(step["if"], job.contexts, outputs):
            continue
        inner = job._replace(environ={**job.environ, **exported})
        if "uses" in step:
            done = _use(step, inner, outputs)
        else:
            done, more = _run(step, inner, outputs)
            exported |= more
        if "id" in step:
            outputs[step["id"]] = done
    return outputs


def _use(step: dict[str, Any], job: Job, outputs: dict[str, dict[str, str]]) -> dict[str, str]:
    given = {key: _fill(value, job.contexts, outputs) for key, value in step.get("with", {}).items()}
    action = step["uses"].partition("@")[0]
    own = re.fullmatch(r"(?:OWNER/envtree|\./\.envtree-action)/\.github/actions/([a-z]+)", action)
    if own:
        return play_action(own[1], job, given)
    if action == "actions/checkout":
        if "path" in given:
            _check_out_actions(job.workspace / given["path"])
        else:
            job.checkout(job.workspace)
    elif action == "actions/upload-artifact":
        for path in job.workspace.glob(given["path"]) if not given["path"].startswith("/") else [Path(given["path"])]:
            copy = shutil.copytree if path.is_dir() else shutil.copy
            copy(path, job.artifacts / path.name)
    elif action == "actions/download-artifact":
        for path in job.artifacts.glob(given["pattern"]):
            shutil.copy(path, job.workspace)
    else:
        assert action in ("actions/setup-python", "github/codeql-action/upload-sarif"), action
    return {}


def _check_out_actions(path: Path) -> None:
    """As `actions/checkout` does, which follows a link that is in the way, and empties the folder behind it."""
    path.mkdir(exist_ok=True)
    for entry in path.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    (path / "here").write_text("the repository of the actions\n", encoding="utf-8")


def _run(step: dict[str, Any], job: Job, outputs: dict[str, dict[str, str]]) -> tuple[dict[str, str], dict[str, str]]:
    files = {}
    for name in ("GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_STEP_SUMMARY"):
        files[name] = job.temp / name.lower()
        files[name].write_text("", encoding="utf-8")
    environ = {
        **{key: str(_fill(value, job.contexts, outputs)) for key, value in step.get("env", {}).items()},
        **{name: str(file) for name, file in files.items()},
        **{"RUNNER_TEMP": str(job.temp), "GITHUB_WORKSPACE": str(job.workspace), "GITHUB_REPOSITORY": REPOSITORY},
        **{"GITHUB_ACTIONS": "true", "CI": "true", "HOME": str(job.temp)},
        "GITHUB_EVENT_PATH": str(job.temp / "event.json"),
    }
    (job.temp / "event.json").write_text(json.dumps(job.contexts.get("github", {}).get("event", {})), encoding="utf-8")
    done = subprocess.run(
        # As the runner starts a step with `shell: bash`.
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
        cwd=job.workspace,
        env={**job.environ, **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    if done.returncode:
        raise StepError(f"{step.get('name')}: {done.returncode}\n{done.stdout.decode('utf-8', 'replace')}")
    return file_values(files["GITHUB_OUTPUT"]), file_values(files["GITHUB_ENV"])


def _fill(value: Any, contexts: Mapping[str, Any], outputs: Mapping[str, Any]) -> Any:
    """A value with its expressions replaced; one that is an expression as a whole keeps its type."""
    if not isinstance(value, str):
        return value
    whole = _EXPRESSION.fullmatch(value)
    if whole:
        return evaluate(whole[1], contexts, outputs)
    return _EXPRESSION.sub(lambda match: str(evaluate(match[1], contexts, outputs)), value)


def evaluate(expression: str, contexts: Mapping[str, Any], outputs: Mapping[str, Any]) -> Any:
    """The value of an expression of GitHub, as far as the workflows here have them."""
    steps = {name: {"outputs": done, "outcome": "success"} for name, done in outputs.items()}
    names = {**contexts, "steps": steps, "job": {"workflow_sha": "0" * 40, "workflow_repository": "OWNER/envtree"}}

    def translate(match: re.Match[str]) -> str:
        word = match[0]
        if word in ("&&", "||", "!"):
            return {"&&": " and ", "||": " or ", "!": " not "}[word]
        if word.startswith("'") or word in ("always", "format", "fromJSON", "toJSON"):
            return word
        return f"look({word!r})"

    def look(path: str) -> Any:
        found: Any = names
        for part in path.split("."):
            found = found.get(part, "") if isinstance(found, Mapping) else ""
        return found

    functions = {
        "look": look,
        "always": lambda: True,
        "format": lambda pattern, *values: pattern.format(*values),
    }
    text = re.sub(r"fromJSON\(toJSON\(job\)\)", "job", expression.strip())
    return eval(_WORDS.sub(translate, text), {"__builtins__": {}}, functions)


def base_environ(programs: Path) -> dict[str, str]:
    """The variables of a runner: programs of a folder first, then Python, then those of the system."""
    settings = {name: value for name, value in os.environ.items() if name.upper().startswith(("PIP_", "UV_"))}
    path = os.pathsep.join([str(programs), str(Path(sys.executable).parent), os.environ["PATH"]])
    return {**settings, "PATH": path, "LANG": "C.UTF-8"}
