"""`envtree impact`, `matrix`, `parity` and `unused`: formats, exit codes and messages."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from envtree.frontend.schemas import Schemas
from tests.cli.test_cli_words import EVIL, is_plain
from tests.support.command_line import BOT, ERROR, ORGANIZATION, RunCommand, write_files

ACME = Path(__file__).parents[2] / "examples/acme"
BASE = "environments/base.yaml"
EVERY = ("shop/cart/bot@production", "shop/cart/bot@staging", "shop/clerk@production")
LOST = {"environments/production.yaml": "inherits: base\nexecution_environment:\n  env_vars: {LOG_LEVEL: warning}\n"}
LOST |= {"environments/staging.yaml": "inherits: base\nexecution_environment:\n  env_vars: {LOG_LEVEL: debug, A: x}\n"}
SAME = {"projects/shop/agents/clerk.yaml": "{}\n"}
HIGH = {"organization.yaml": f"{ORGANIZATION}lint: {{ET453: error, ET357: warning}}\n"}
EMPTY = SAME | {"projects/shop/project.yaml": "key: shop\ntargets: []\n"}


@pytest.mark.parametrize(
    ("files", "arguments", "code"),
    [
        ({}, ("impact", BASE), 0),
        ({}, ("impact", BASE, BOT, "organization.yaml", "-v"), 0),
        ({"README.md": "read me"}, ("impact", "README.md"), 0),
        ({}, ("impact", __file__), 0),
        ({}, ("impact",), 2),
        ({}, ("impact", "environments"), 2),
        ({}, ("impact", "environments/bse.yaml"), 2),
        ({}, ("impact", BASE, "nope"), 2),
        ({}, ("impact", EVIL), 2),
        ({}, ("impact", ""), 2),
        ({}, ("impact", "\udcff"), 2),
        ({BOT: ERROR}, ("impact", BASE), 1),
        (EMPTY, ("impact", BASE), 1),
        ({}, ("matrix", "LOG_LEVEL"), 0),
        ({}, ("matrix", "env_vars.LOG_LEVEL", "shop/**@prod*", "-v"), 0),
        ({}, ("matrix", "LOG_LVL"), 2),
        ({}, ("matrix", EVIL), 2),
        ({}, ("matrix", "\udcff"), 2),
        ({}, ("matrix",), 2),
        ({}, ("matrix", "LOG_LEVEL", "nothing/**"), 1),
        ({}, ("matrix", "LOG_LEVEL", "--input", "A=1"), 2),
        ({BOT: ERROR}, ("matrix", "LOG_LEVEL"), 1),
        ({}, ("parity", "staging", "production"), 0),
        (SAME, ("parity", "staging", "production", "--detailed-exitcode"), 0),
        ({}, ("parity", "staging", "production", "--detailed-exitcode", "-v"), 2),
        ({}, ("parity", "staging", "production", "shop/cart/*", "--detailed-exitcode"), 0),
        ({}, ("parity", "staging", "prodction"), 2),
        ({}, ("parity", "staging", "base"), 2),
        ({}, ("parity", "staging", "staging"), 2),
        ({}, ("parity", "staging", EVIL), 2),
        ({}, ("parity", "staging", "*"), 2),
        ({}, ("parity", "staging", "\udcff"), 2),
        ({}, ("parity", "staging"), 2),
        ({}, ("parity", "staging", "prodction", "--detailed-exitcode"), 1),
        ({}, ("parity", "staging", "--detailed-exitcode"), 1),
        ({}, ("parity", "staging", "production", "nothing"), 1),
        ({BOT: ERROR}, ("parity", "staging", "production", "--detailed-exitcode"), 1),
        ({}, ("unused",), 0),
        (LOST, ("unused",), 0),
        (LOST, ("unused", "--strict"), 1),
        ({}, ("unused", "--strict"), 0),
        (LOST | HIGH, ("unused",), 1),
        ({BOT: ERROR}, ("unused",), 1),
        ({}, ("unused", "x"), 2),
    ],
)
def test_exit_codes(
    files: dict[str, str], arguments: tuple[str, ...], code: int, tree: Path, envtree: RunCommand
) -> None:
    write_files(tree, files)
    for form in ("text", "json"):
        ran = envtree(*arguments, "--output-format", form)
        assert ran.code == code, ran
        assert is_plain(ran)
        if form == "json" and ran.out:
            data = json.loads(ran.out)
            name = f"output/{arguments[0]}"
            assert Schemas().is_valid(name, data), Schemas().find_faults(name, data)


@pytest.mark.parametrize(
    ("files", "arguments", "message"),
    [
        ({BOT: ERROR}, ("unused",), "ET201"),
        ({BOT: ERROR}, ("parity", "staging", "production"), "ET201"),
        ({BOT: ERROR}, ("matrix", "A"), "ET201"),
        (EMPTY, ("impact", BASE), "ET310"),
        (EMPTY, ("matrix", "A"), "ET310"),
        (EMPTY, ("unused",), "ET310"),
    ],
)
def test_without_an_answer_that_is_certain_there_is_none(
    files: dict[str, str], arguments: tuple[str, ...], message: str, tree: Path, envtree: RunCommand
) -> None:
    write_files(tree, files)
    for form in ("text", "json"):
        ran = envtree(*arguments, "--output-format", form)
        assert (ran.code, ran.out, message in ran.err) == (1, "", True), ran
        assert "--allow-empty" not in ran.err


@pytest.mark.parametrize(
    ("arguments", "answer", "lacking"),
    [
        (("matrix", "LOG_LEVEL"), "shop/clerk@production", "lacks 2 of 3 bundles: shop/cart/bot@production, shop/cart"),
        (("impact", BASE), "shop/clerk@production", "lacks 2 of 3 bundles"),
        (("secrets", "readers"), "there are no secrets files", "lacks 2 of 3 bundles"),
        (("secrets", "list"), "", "lacks 2 of 3 bundles"),
        (("tree",), "clerk", "is about what is sound, and may be incomplete"),
        (("list",), "shop/clerk@production", "is about what is sound, and may be incomplete"),
    ],
)
def test_an_answer_about_what_is_sound_says_what_it_lacks(
    arguments: tuple[str, ...], answer: str, lacking: str, tree: Path, envtree: RunCommand
) -> None:
    write_files(tree, {BOT: ERROR})
    ran = envtree(*arguments)
    assert (ran.code, answer in ran.out, "ET201" in ran.err) == (1, True, True), ran
    assert f"the answer {lacking}" in ran.err


def test_a_selector_of_nothing_is_told_without_what_keeps_nobody_from_an_answer(
    tree: Path, envtree: RunCommand
) -> None:
    write_files(tree, {"organization.yaml": f"{ORGANIZATION}lint: {{ET750: warning}}\n", BOT: "model_id: null\n"})
    ran = envtree("matrix", "LOG_LEVEL", "nothing")
    assert ran == (
        1,
        "",
        "organization.yaml:1:1: error ET309: selector 'nothing' matches no bundle\n"
        "  hint: 'envtree tree' shows what there is\n",
    )


# Impact.


def test_impact_for_people(tree: Path, envtree: RunCommand) -> None:
    write_files(tree, {BOT: "execution_environment:\n  env_vars: {LOG_LEVEL: debug}\n"})
    assert envtree("impact", BASE).out == (
        f"""all 3 bundles are fed by {BASE}
  none of its values counts in 2 of them
  shop/cart/bot@production
  shop/cart/bot@staging
  shop/clerk@production

  line  key                 counts in  shadowed in
     3  env_vars.LOG_LEVEL          1  2 by {BOT}:2

named in
  environments/production.yaml:1
  environments/staging.yaml:1
"""
    )


def test_impact_of_many_bundles_is_told_by_environment(tree: Path, envtree: RunCommand) -> None:
    for project in "abcdef":
        write_files(
            tree,
            {f"projects/{project}x/project.yaml": f"key: {project}x\n", f"projects/{project}x/agents/a.yaml": "{}"},
        )
    assert envtree("impact", BASE).out.splitlines()[1:3] == [
        "  production  8 of 8  all 7 projects",
        "  staging     7 of 7  all 7 projects",
    ]
    write_files(tree, {"policies/part.yaml": "schema: {}\nselector: '*x/**@staging'\n"})
    assert envtree("impact", "policies/part.yaml").out == (
        """6 of 15 bundles are checked by policies/part.yaml
  staging  6 of 7  ax 1, bx 1, cx 1, dx 1, and 2 more projects
"""
    )
    assert len(envtree("impact", BASE, "-v").out.splitlines()) > 15


def test_impact_of_several_files(tree: Path, envtree: RunCommand) -> None:
    write_files(tree, {"README.md": "read me"})
    ran = envtree("impact", BOT, "projects/shop/agents/clerk.yaml", "README.md", BOT)
    blocks = ran.out.split("\n\n")
    assert [block.splitlines()[0] for block in blocks if not block.startswith("  ")] == [
        "all 3 bundles are fed by these 3 files",
        f"2 of 3 bundles are fed by {BOT}",
        "1 of 3 bundles is fed by projects/shop/agents/clerk.yaml",
        "nothing is read from README.md",
    ]
    data = json.loads(envtree("impact", BOT, "projects/shop/agents/clerk.yaml", "--output-format", "json").out)
    assert (data["path"], data["bundles"]) == (None, [*EVERY])
    assert [(file["path"], file["bundles"]) for file in data["files"]] == [
        (BOT, [*EVERY[:2]]),
        ("projects/shop/agents/clerk.yaml", [EVERY[2]]),
    ]


def test_impact_as_json(envtree: RunCommand) -> None:
    data = json.loads(envtree("impact", BASE, "--output-format", "json").out)
    assert (data["path"], data["bundles"]) == (BASE, [*EVERY])
    assert data["files"][0]["keys"] == [
        {"key": "env_vars.LOG_LEVEL", "line": 3, "column": 25, "counts": 3, "shadowed": []}
    ]


def test_impact_as_ids(tree: Path, envtree: RunCommand) -> None:
    write_files(tree, {"README.md": "read me"})
    assert envtree("impact", BOT, BASE, "--output-format", "ids").out == "".join(f"{id}\n" for id in EVERY)
    assert envtree("impact", "README.md", "--output-format", "ids") == (0, "", "")


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        (".", BASE),
        (".", f"./projects/../{BASE}"),
        ("environments", "base.yaml"),
        ("projects/shop", f"../../{BASE}"),
        # Relative to the root of the repository, as git prints it, in any current folder.
        ("projects/shop", BASE),
        ("..", f"tree/{BASE}"),
    ],
)
def test_a_file_is_named_from_here_or_from_the_root(
    folder: str, name: str, tree: Path, envtree: RunCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tree / folder)
    assert json.loads(envtree("impact", name, "--output-format", "json").out)["path"] == BASE
    absolute = str(tree / BASE)
    assert json.loads(envtree("impact", absolute, "--output-format", "json").out)["path"] == BASE


def test_a_file_is_named_as_git_does_where_the_tree_lies_in_a_folder(
    tree: Path, envtree: RunCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run(["git", "init", "-q", str(tree.parent)], check=True)
    write_files(tree.parent, {".sops.yaml": "creation_rules: []\n", "README.md": "read me\n"})
    monkeypatch.chdir(tree / "projects/shop")
    ran = envtree("impact", f"tree/{BASE}", "README.md", ".sops.yaml", "--output-format", "json")
    relations = [(file["path"], file["relation"]) for file in json.loads(ran.out)["files"]]
    assert relations == [(BASE, "layer"), ("README.md", "unread"), (".sops.yaml", "access")]


def test_here_comes_before_the_root(tree: Path, envtree: RunCommand, monkeypatch: pytest.MonkeyPatch) -> None:
    write_files(tree, {"projects/shop/environments/base.yaml": "{}\n"})
    monkeypatch.chdir(tree / "projects/shop")
    path = json.loads(envtree("impact", BASE, "--output-format", "json").out)["path"]
    assert path == "projects/shop/environments/base.yaml"


def test_a_file_that_is_not_there(tree: Path, envtree: RunCommand, monkeypatch: pytest.MonkeyPatch) -> None:
    assert f"did you mean '{BASE}'?" in envtree("impact", "environments/bas.yaml").err
    monkeypatch.chdir(tree / "environments")
    assert f"did you mean '{BASE}'?" in envtree("impact", "bsae.yaml").err


def test_a_link_is_the_file_that_it_is(tree: Path, envtree: RunCommand) -> None:
    os.symlink("base.yaml", tree / "environments/twin.yaml")
    data = json.loads(envtree("impact", "environments/twin.yaml", "--output-format", "json").out)
    assert (data["path"], data["files"][0]["kind"]) == ("environments/twin.yaml", "environment")


# Matrix, parity, unused.


def test_matrix_as_json(tree: Path, envtree: RunCommand) -> None:
    write_files(tree, LOST)
    data = json.loads(envtree("matrix", "A", "--output-format", "json").out)
    assert data == {
        "envtree": "1",
        "key": "env_vars.A",
        "missing": ["shop/cart/bot@production", "shop/clerk@production"],
        "rows": [
            {
                "bundles": ["shop/cart/bot@staging"],
                "origins": [{"column": 35, "line": 3, "path": "environments/staging.yaml"}],
                "sensitive": False,
                "unknown": False,
                "value": "x",
            }
        ],
    }
    assert "did you mean 'env_vars.LOG_LEVEL'?" in envtree("matrix", "LOGLEVEL").err


def test_parity_as_json(tree: Path, envtree: RunCommand) -> None:
    write_files(tree, LOST)
    data = json.loads(envtree("parity", "staging", "production", "--output-format", "json").out)
    assert data == {
        "envtree": "1",
        "environments": ["staging", "production"],
        "missing": [
            {
                "key": "env_vars.A",
                "in": "staging",
                "not_in": "production",
                "expected": False,
                "bundles": ["shop/cart/bot@production"],
                "places": [{"column": 35, "line": 3, "path": "environments/staging.yaml"}],
            }
        ],
        "types": [],
        "agents": [{"agent": "shop/clerk", "in": "production", "not_in": "staging"}],
        "summary": {"agents": 1},
    }
    assert "did you mean 'production'?" in envtree("parity", "staging", "prodction").err
    assert "'base' is abstract" in envtree("parity", "staging", "base").err


def test_unused_for_people_and_as_json(tree: Path, envtree: RunCommand) -> None:
    write_files(tree, LOST)
    ran = envtree("unused")
    message = "info ET453: 'env_vars.LOG_LEVEL' is shadowed in all 3 bundles that it could reach"
    assert ran.out == (
        f"""{BASE}:3:25: {message}
  3 |   env_vars: {{LOG_LEVEL: info}}
    |                         ^^^^
  environments/production.yaml:3:25: counts in 2 bundles
  environments/staging.yaml:3:25: counts in 1 bundle
  hint: remove it, unless bundles to come should have it
"""
    )
    assert ran.err == "1 finding in 3 bundles\n"
    data = json.loads(envtree("unused", "--output-format", "json").out)
    assert [(finding["code"], finding["key"], finding["severity"]) for finding in data["findings"]] == [
        ("ET453", "env_vars.LOG_LEVEL", "info")
    ]
    assert envtree("check").out == ""
    write_files(tree, {BASE: "abstract: true\n"})
    assert envtree("unused") == (0, "", "nothing unused in 3 bundles\n")


def test_the_numbers_stand_out(tree: Path, envtree: RunCommand) -> None:
    write_files(tree, LOST)
    for arguments in (("impact", BASE), ("matrix", "LOG_LEVEL"), ("parity", "staging", "production")):
        assert envtree(*arguments, "--color", "always").out.startswith("\x1b[1m")
        assert "\x1b" not in envtree(*arguments).out


def test_what_a_file_says_is_words(tree: Path, envtree: RunCommand) -> None:
    evil = "::error::pwned\n  ::add-mask::e ##[error]x"
    section = {"config": {"::error::pwned ##[error]x": evil, "list": [evil, evil]}, "env_vars": {"A": evil}}
    write_files(
        tree, {"environments/production.yaml": f"inherits: base\nexecution_environment: {json.dumps(section)}\n"}
    )
    assert envtree("check").code == 0
    for arguments in (
        ("impact", "environments/production.yaml"),
        ("matrix", "A"),
        ("matrix", "config"),
        ("parity", "staging", "production"),
        ("unused",),
    ):
        for form in ("text", "json"):
            ran = envtree(*arguments, "--output-format", form)
            assert ran.code == 0
            assert is_plain(ran), ran.out


@pytest.mark.parametrize("file", ["organization.yaml", "skills/safe-python.yaml", "policies/production-is-quiet.yaml"])
def test_impact_considers_the_selected_bundles_only(envtree: RunCommand, file: str) -> None:
    def impact(*words: str) -> str:
        return envtree("-C", str(ACME), "impact", file, *words).out

    everywhere = impact("--output-format", "ids").splitlines()
    selected = [id for id in everywhere if id.startswith("storefront/") and id.endswith("@production")]
    select = ("--select", "storefront/**@production")
    assert selected
    assert impact("--output-format", "ids", *select).splitlines() == selected
    (answer,) = json.loads(impact("--output-format", "json", *select))["files"]
    assert all(key["counts"] <= len(selected) for key in answer["keys"])
