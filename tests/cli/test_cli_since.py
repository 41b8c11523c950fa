"""`--changed-since`: bundles that a difference can reach are checked and compiled, and no others."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from envtree.cli.support.session import tree_request
from envtree.engine.by_project import ProjectRunner
from envtree.engine.run import Run
from envtree.sources.tree import DirectoryTree
from tests.properties.writing import flow_text, seal
from tests.support.command_line import BOT, BOT_ID, ERROR, TREE, RunCommand, write_files
from tests.unit.sources.test_git_revision import commit
from tests.unit.system.test_git import run

PRODUCTION, BASE, STAGING = (f"environments/{name}.yaml" for name in ("production", "base", "staging"))
CLERK, TEAM = "projects/shop/agents/clerk.yaml", "projects/shop/teams/cart/team.yaml"
SECRETS = "environments/staging.secrets.yaml"
CLERK_ID, STAGING_ID = "shop/clerk@production", "shop/cart/bot@staging"
BOTS = {BOT_ID, STAGING_ID}
ALL = {*BOTS, CLERK_ID}
FILES = TREE | {
    "policies/quiet.yaml": "schema: {}\nselector: '**@production'\n",
    "policies/rego.yaml": "policy_content: 'package x'\n",
    "skills/shell.yaml": "type: shell\n",
    SECRETS: flow_text(seal({"db": {"password": "a-password-that-is-long"}})),
    STAGING: "inherits: base\nexecution_environment: {secrets: {PASSWORD: db.password}}\n",
}
FILES |= {"organization.yaml": f"{TREE['organization.yaml']}lint: {{ET650: 'off'}}\n"}
REF = ("--secrets", "ref")

Edits = dict[str, str | None]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small tree in a repository, committed."""
    run(tmp_path, "init", "-q", "-b", "main", "tree")
    write_files(tmp_path / "tree", FILES)
    commit(tmp_path / "tree")
    return tmp_path / "tree"


@pytest.fixture(params=[False, True])
def by_project(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Run each test on the whole tree, as for small trees, and project by project, as for large ones."""
    if request.param:
        monkeypatch.setattr("envtree.engine.by_project._MIN_AGENTS", 1)
    return bool(request.param)


def edit(tree: Path, edits: Edits) -> None:
    write_files(tree, {path: text for path, text in edits.items() if text is not None})
    for path in [path for path, text in edits.items() if text is None]:
        (tree / path).unlink()


def written(out: Path) -> dict[str, tuple[bytes, int]]:
    """Return the files of an output, each with its modification time."""
    files = (path for path in out.rglob("*") if path.is_file())
    return {path.relative_to(out).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def ids(files: dict[str, Any]) -> dict[str, str]:
    """Return the bundle ids of an output by their folders."""
    return {path.rpartition("/")[0]: json.loads(files[path][0])["id"] for path in files if path.endswith("bundle.json")}


CASES: dict[str, tuple[Edits, set[str]]] = {
    "nothing": ({}, set()),
    "an agent": ({BOT: "description: x\n"}, BOTS),
    "a comment": ({BOT: f"# why\n{TREE[BOT]}"}, BOTS),
    "an agent that is gone": ({BOT: None}, BOTS),
    "an agent that is new": ({"projects/shop/agents/new.yaml": "targets: [staging]\n"}, {"shop/new@staging"}),
    "an agent with another name": (
        {CLERK: None, "projects/shop/agents/seller.yaml": TREE[CLERK]},
        {CLERK_ID, "shop/seller@production"},
    ),
    "an agent in a team": (
        {CLERK: None, "projects/shop/teams/cart/agents/clerk.yaml": TREE[CLERK]},
        {CLERK_ID, "shop/cart/clerk@production"},
    ),
    "another environment for an agent": ({CLERK: "targets: [staging]\n"}, {CLERK_ID, "shop/clerk@staging"}),
    "an environment": ({PRODUCTION: "inherits: base\ndescription: x\n"}, {BOT_ID, CLERK_ID}),
    "an environment that inherits nothing": ({PRODUCTION: "{}\n"}, {BOT_ID, CLERK_ID}),
    "an environment that inherits another": ({STAGING: "inherits: production\n"}, {STAGING_ID}),
    "what environments inherit": ({BASE: "abstract: true\n"}, ALL),
    "an environment that is gone": ({STAGING: None, SECRETS: None}, {STAGING_ID}),
    "an environment that is new": ({"environments/qa.yaml": "type: development\n"}, {"shop/cart/bot@qa"}),
    "what environments inherit, with another name": (
        {
            BASE: None,
            "environments/common.yaml": TREE[BASE],
            PRODUCTION: "inherits: common\n",
            STAGING: f"{FILES[STAGING].replace('base', 'common')}",
        },
        ALL,
    ),
    "an overlay that is new": ({"projects/shop/environments/staging.yaml": "tags: [x]\n"}, {STAGING_ID}),
    "a team": ({TEAM: "description: x\n"}, BOTS),
    "a contract of a team": ({TEAM: "variables: {LOG_LEVEL: {enum: [info]}}\n"}, BOTS),
    "a project": ({"projects/shop/project.yaml": "key: shop\nvariables: {LOG_LEVEL: {required: true}}\n"}, ALL),
    "the organization": ({"organization.yaml": f"{FILES['organization.yaml']}inputs: {{A: {{}}}}\n"}, ALL),
    "a secret": ({SECRETS: flow_text(seal({"db": {"password": "another-password-that-is"}}))}, {STAGING_ID}),
    "secrets that are new": ({"projects/shop/teams/cart/team.secrets.yaml": FILES[SECRETS]}, BOTS),
    "secrets that are gone": ({SECRETS: None, STAGING: TREE[STAGING]}, {STAGING_ID}),
    "a policy": ({"policies/quiet.yaml": f"{FILES['policies/quiet.yaml']}message: x\n"}, {BOT_ID, CLERK_ID}),
    "a policy for others": ({"policies/quiet.yaml": "schema: {}\nselector: '**@staging'\n"}, ALL),
    "a policy that is new": ({"policies/new.yaml": "schema: {}\nselector: shop/clerk\n"}, {CLERK_ID}),
    "a policy that is gone": ({"policies/quiet.yaml": None}, {BOT_ID, CLERK_ID}),
    "what is not judged here": ({"policies/rego.yaml": "policy_content: 'package y'\n"}, set()),
    "what is for the control plane alone": ({"skills/shell.yaml": "type: shell\ndescription: x\n"}, set()),
    "what is none of the tree": ({"README.md": "x"}, set()),
}


@pytest.mark.parametrize("case", CASES)
def test_only_what_a_difference_reaches_is_compiled(case: str, tree: Path, tmp_path: Path, envtree: RunCommand) -> None:
    edits, reached = CASES[case]
    out, whole = str(tmp_path / "out"), str(tmp_path / "whole")
    assert envtree("compile", "-o", out, *REF).code == 0
    before = written(tmp_path / "out")
    edit(tree, edits)
    ran = envtree("compile", "-o", out, *REF, "--changed-since", "HEAD")
    assert ran.code == 0, ran
    assert envtree("compile", "-o", whole, *REF).code == 0
    after, expected = written(tmp_path / "out"), written(tmp_path / "whole")
    assert {path: data for path, (data, _) in after.items()} == {path: data for path, (data, _) in expected.items()}
    # Other bundles were not even rewritten.
    unreached = [folder for folder, id in ids(before).items() if id not in reached]
    assert all(after[path] == before[path] for path in before if path.rpartition("/")[0] in unreached)
    present = {*ids(after).values()} & reached
    assert f"wrote {len(present)} bundle" in ran.err


@pytest.mark.parametrize("case", CASES)
def test_only_what_a_difference_reaches_is_checked(
    case: str, by_project: bool, tree: Path, envtree: RunCommand
) -> None:
    edits, reached = CASES[case]
    edit(tree, edits)
    present = reached.intersection(Run(tree_request(DirectoryTree(tree))).ids)
    checked = json.loads(envtree("check", "--changed-since", "HEAD", "--output-format", "json").out)
    assert checked["summary"]["bundles"] == len(present)


def test_a_template_reaches_all(tree: Path, tmp_path: Path, envtree: RunCommand) -> None:
    output = "output: {formats: [template], templates: {id.txt: templates/id.j2}}\n"
    write_files(tree, {"organization.yaml": FILES["organization.yaml"] + output, "templates/id.j2": "{{ id }}\n"})
    commit(tree)
    out, whole = str(tmp_path / "out"), str(tmp_path / "whole")
    assert envtree("compile", "-o", out, *REF).code == 0
    write_files(tree, {"templates/id.j2": "is {{ id }}\n"})
    assert envtree("compile", "-o", out, *REF, "--changed-since", "HEAD").code == 0
    assert envtree("compile", "-o", whole, *REF).code == 0
    outputs = [{path: data for path, (data, _) in written(tmp_path / name).items()} for name in ("out", "whole")]
    assert outputs[0] == outputs[1]
    assert {data for path, data in outputs[0].items() if path.endswith("id.txt")} == {
        f"is {id}\n".encode() for id in ALL
    }


def test_a_check_is_of_what_a_difference_reaches(by_project: bool, tree: Path, envtree: RunCommand) -> None:
    policy = {"policies/never.yaml": "schema: {not: {}}\nmessage: never\nselector: '**@staging'\n"}
    write_files(tree, policy)
    commit(tree)
    assert envtree("check").code == 1
    write_files(tree, {CLERK: f"{TREE[CLERK]}description: x\n"})
    ran = envtree("check", "--changed-since", "HEAD")
    assert (ran.code, ran.out) == (0, "")
    assert ran.err == "checked 1 bundle of 1 agent: no errors\n"
    assert envtree("check", "--changed-since", "HEAD~1").code == 1
    write_files(tree, {CLERK: TREE[CLERK]})
    assert envtree("check", "--changed-since", "HEAD").err == "no bundle is affected since HEAD: no errors\n"
    # Errors in a changed file are reported.
    write_files(tree, {"jobs/nightly.yaml": "nope: 1\n"})
    assert envtree("check", "--changed-since", "HEAD").code == 1


def test_selectors_narrow_what_is_reached(tree: Path, tmp_path: Path, envtree: RunCommand) -> None:
    write_files(tree, {BASE: f"{TREE[BASE]}description: x\n"})
    ran = envtree("compile", "**@staging", "--changed-since", "HEAD", "-o", str(tmp_path / "out"), *REF)
    assert {*ids(written(tmp_path / "out")).values()} == {STAGING_ID}, ran


def test_what_cannot_be_compiled_changes_nothing(tree: Path, tmp_path: Path, envtree: RunCommand) -> None:
    out = str(tmp_path / "out")
    assert envtree("compile", "-o", out, *REF).code == 0
    before = written(tmp_path / "out")
    write_files(tree, {BOT: ERROR})
    assert envtree("compile", "-o", out, *REF, "--changed-since", "HEAD").code == 1
    assert written(tmp_path / "out") == before


def test_where_there_was_no_tree_all_is_reached(tmp_path: Path, tree: Path, envtree: RunCommand) -> None:
    run(tree, "switch", "-q", "--orphan", "first")
    commit(tree)
    run(tree, "switch", "-q", "main")
    assert envtree("check", "--changed-since", "first").err.startswith("checked 3 bundles of 2 agents")
    # A folder is accepted as well as a revision.
    shutil.copytree(tree, tmp_path / "copy")
    write_files(tree, {CLERK: f"{TREE[CLERK]}description: x\n"})
    assert envtree("check", "--changed-since", str(tmp_path / "copy")).err.startswith("checked 1 bundle of 1 agent")


@pytest.mark.parametrize(
    ("revision", "words"),
    [
        ("nope", "'nope' is neither a revision of the repository nor a folder"),
        ("main..HEAD", "names two revisions"),
        ("\udcff", "a revision is text in UTF-8"),
        ("", "the name of a revision or a folder is empty"),
        ("./nope", "there is no folder"),
    ],
)
@pytest.mark.parametrize("command", [("check",), ("compile", "--secrets", "ref", "-o", "/nowhere/out")])
def test_a_wrong_revision(command: tuple[str, ...], revision: str, words: str, envtree: RunCommand) -> None:
    ran = envtree(*command, "--changed-since", revision)
    assert (ran.code, ran.out) == (2, "")
    assert words in ran.err


def test_of_projects_that_are_alike_the_base_is_not_read(
    tree: Path, by_project: bool, envtree: RunCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = {f"projects/p{n}/agents/a.yaml": "{}\n" for n in range(3)}
    others |= {f"projects/p{n}/project.yaml": f"key: p{n}\n" for n in range(3)}
    write_files(tree, others)
    commit(tree)
    write_files(tree, {"projects/p1/agents/a.yaml": "description: another\n"})
    started: list[str] = []
    begin = ProjectRunner.start

    def record(self: ProjectRunner, project: str, *rest: Any) -> Run:
        started.append(project)
        return begin(self, project, *rest)

    monkeypatch.setattr(ProjectRunner, "start", record)
    ran = envtree("check", "--changed-since", "HEAD", "--jobs", "1")
    assert ran.code == 0, ran
    assert "checked 2 bundles of 1 agent" in ran.err
    assert sorted(started) == (["p0", "p1", "p1", "p2", "shop"] if by_project else [])
