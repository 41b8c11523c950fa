"""`envtree secrets set`: one value of a file is set, no other one changes, and wrong paths are refused."""

import json
import os
import pty
import stat
import subprocess
import sys
import termios
from pathlib import Path
from typing import Any

import pytest

from tests.support.secrets_tree import (
    FILES,
    PRODUCTION,
    STAGING,
    SecretsTree,
    make_person,
    make_secrets_tree,
    organization_with_people,
    secret_line,
)
from tests.support.waiting import PATIENCE, wait_until

ENV = "agents/clerk.staging.secrets.env"


@pytest.fixture
def tree(tmp_path: Path) -> SecretsTree:
    return make_secrets_tree(tmp_path)


@pytest.mark.parametrize("path", [PRODUCTION, STAGING, ENV])
def test_a_new_file_says_where_it_belongs_and_takes_no_private_key(tree: SecretsTree, path: str) -> None:
    nobody = {"SOPS_AGE_KEY_FILE": "/nowhere"}
    result = tree.run("secrets", "set", path, "API_KEY", stdin_input="hunter2-hunter2\n", environ=nobody)
    assert (result.code, result.out, result.err) == (0, "", f"began '{path}' with 'API_KEY', for me\n")
    assert tree.plain(path) == {"_scope": path.partition(".secrets.")[0], "API_KEY": "hunter2-hunter2"}
    assert tree.run("check").code == 0


NASTY: dict[str, Any] = {
    "newline": "a\nb\n",
    "quotes": "\"'\\ $x ${y} #",
    "unicode": "Üñ😀\u2028\u2029\u0085\ufeff",
    "controls": "\x01\x07\x1b[2J\x7f\t\r\n",
    "blanks": "  x  ",
    "yaml": ["yes", "0755", "1e3", "null", "~", "- a", "{", "2026-11-24", "12:30"],
    "integer": 5432,
    "great": 2**63 - 1,
    "least": -(2**63),
    "zero": 0,
    "float": 1.5,
    "whole": 2.0,
    "small": 1e-300,
    "true": True,
    "false": False,
    "map": {"b": {"c": [1, 2.5, True, "x", [["deep"], {"k": "v", "n": 7}]]}, "a.b": "x"},
    "list": ["one", 2, {"k": "v"}, [3]],
}


@pytest.mark.parametrize("path", [PRODUCTION, STAGING])
def test_every_value_comes_back_as_it_was(tree: SecretsTree, path: str) -> None:
    """Set values in a new and in an existing file, which sops reads with different parsers."""
    tree.set(path, "first", NASTY)
    for key, value in NASTY.items():
        tree.set(path, f"below.{key}", value)
    plain = tree.plain(path)
    assert plain == {"_scope": path.partition(".secrets.")[0], "first": NASTY, "below": NASTY}
    # As JSON, because 1 equals True in Python; sops writes a float without decimals as an integer.
    assert json.dumps(plain["below"]).replace("2,", "2.0,") == json.dumps(NASTY).replace("2,", "2.0,")
    assert tree.run("check").code == 0


def test_variables_of_a_dotenv_file(tree: SecretsTree) -> None:
    for name in ("newline", "quotes", "unicode", "blanks", "integer", "great", "float", "true"):
        tree.set(ENV, name, NASTY[name])
        assert tree.plain(ENV)[name] == NASTY[name]


@pytest.mark.parametrize("path", [PRODUCTION, STAGING])
def test_no_other_value_changes_a_byte(tree: SecretsTree, path: str) -> None:
    tree.set(path, "db.password", "old-old-old")
    tree.set(path, "db.port", 5432)
    tree.set(path, "hosts", ["first-host", "second-host"])
    tree.set(path, "db.deep.key", "deep-deep")
    before = tree.read(path).splitlines()
    (tree.root / path).chmod(0o640)
    result = tree.run("secrets", "set", path, "db.password", stdin_input="new-new-new")
    assert (result.code, result.err) == (0, f"changed 'db.password' in '{path}'\n")
    after = tree.read(path).splitlines()
    assert tree.plain(path)["db"]["password"] == "new-new-new"
    differ = [line.split(":")[0].strip(' "\t') for line, new in zip(before, after, strict=True) if line != new]
    assert [name for name in differ if name != "lastmodified"] == ["password", "mac"]
    assert stat.S_IMODE((tree.root / path).stat().st_mode) == 0o640
    assert [file.name for file in (tree.root / path).parent.iterdir() if file.name.startswith(".")] == []


def test_comments_stay(tree: SecretsTree) -> None:
    text = "# for whom\n_scope: environments/production\ndb:\n  # rotate in May\n  password: old-old # not this one\n"
    (tree.root / PRODUCTION).write_text(text)
    tree.sops("encrypt", "-i", "--age", tree.owner.public, f"./{PRODUCTION}")
    tree.set(PRODUCTION, "db.user", "somebody")
    tree.set(PRODUCTION, "db.password", "new-new")
    shown = tree.sops("decrypt", f"./{PRODUCTION}")
    assert [line.strip() for line in shown.splitlines() if "#" in line] == [
        "# for whom",
        "# rotate in May",
        "# not this one",
    ]


def test_another_type_is_told(tree: SecretsTree) -> None:
    tree.set(PRODUCTION, "port", 54321)
    result = tree.run("secrets", "set", PRODUCTION, "port", stdin_input="54322")
    assert "changed, from int to str, 'port'" in result.err


NEWLINES = [("x1\n", (), "x1"), ("x1\r\n", (), "x1"), ("x1\n\n", (), "x1\n"), ("x1\n", ("--keep-newline",), "x1\n")]


@pytest.mark.parametrize(("stdin_input", "options", "value"), NEWLINES)
def test_one_newline_at_the_end_is_not_meant(
    tree: SecretsTree, stdin_input: str, options: tuple[str, ...], value: str
) -> None:
    assert tree.run("secrets", "set", PRODUCTION, "A", *options, stdin_input=stdin_input).code == 0
    assert tree.plain(PRODUCTION)["A"] == value


def answer_prompts(tree: SecretsTree, answers: list[tuple[str, str]], *arguments: str) -> str:
    """Run `secrets set` on a terminal, answer each prompt when it is shown, and return the output."""
    command = [sys.executable, "-m", "envtree", "-C", str(tree.root), "secrets", "set", *arguments]
    master, slave = pty.openpty()
    process = subprocess.Popen(
        command, env=tree.environ, stdin=slave, stdout=slave, stderr=slave, start_new_session=True, close_fds=True
    )
    os.close(slave)
    output, start = b"", 0
    for prompt, answer in answers:
        while prompt.encode() not in output[start:]:
            output += os.read(master, 1000)
        start = len(output)
        wait_until(lambda: not termios.tcgetattr(master)[3] & termios.ECHO, "a prompt that shows nothing")
        os.write(master, f"{answer}\n".encode())
    try:
        while chunk := os.read(master, 1000):
            output += chunk
    except OSError:
        pass
    assert process.wait(PATIENCE) == 0, output
    os.close(master)
    return output.decode()


def test_a_prompt_on_a_terminal_asks_twice_and_shows_nothing(tree: SecretsTree) -> None:
    answers = [("value of A", "typed-typed"), ("once more", "typed-types")]
    answers += [("value of A", "typed-typed"), ("once more", "typed-typed")]
    assert "typed" not in answer_prompts(tree, answers, PRODUCTION, "A")
    assert tree.plain(PRODUCTION)["A"] == "typed-typed"


WRONG_PLACES = {
    "prod.secrets.yaml": "did you mean 'environments/production.secrets.yaml'",
    "production.secrets.env": "did you mean 'environments/production.secrets.env'",
    "production": "did you mean 'environments/production.secrets.yaml'",
    "environments/prod.secrets.yaml": "did you mean 'environments/production.secrets.yaml'",
    "environments/production.yaml": "did you mean 'environments/production.secrets.yaml'",
    "environments/production.secrets.yml": "did you mean 'environments/production.secrets.yaml'",
    "agents/clark.secrets.yaml": "did you mean 'agents/clerk.secrets.yaml'",
    "environments/staging.secrets.yaml": "'environments/staging.secrets.json' hold the secrets of one file",
    "elsewhere/x.secrets.yaml": "'elsewhere/x.secrets.yaml' is no place for secrets",
    "../x.secrets.yaml": "lies outside of the tree",
    "environments": "is no place for secrets",
    "ignored.secrets.yaml": "git ignores 'ignored.secrets.yaml'",
}


@pytest.mark.parametrize("path", WRONG_PLACES)
def test_a_wrong_place_is_told_with_the_nearest_right_one(tree: SecretsTree, path: str) -> None:
    tree.set(STAGING, "A", "abcdefgh")
    (tree.root / "teams/desk/environments").mkdir(parents=True)
    (tree.root / "teams/desk/team.yaml").write_text("")
    (tree.root / "teams/desk/environments/production.yaml").write_text("")
    tree.git("init", "-q", ".")
    (tree.root / ".gitignore").write_text("ignored*\n")
    before = sorted(tree.root.rglob("*"))
    result = tree.run("secrets", "set", path, "A", stdin_input="hunter2-hunter2")
    assert result.code == 2
    assert WRONG_PLACES[path] in result.err
    assert sorted(tree.root.rglob("*")) == before


# Files of projects and teams that do not exist, and a part of the message.
NO_ENTITY = {
    "projects/seach/project.secrets.yaml": "there is no project 'seach'; did you mean 'projects/search/project.sec",
    "projects/seach/environments/production.secrets.yaml": "did you mean 'projects/search/environments/production.sec",
    "projects/search/teams/rankin/team.secrets.yaml": "did you mean 'projects/search/teams/ranking/team.secrets.yaml'?",
    "projects/xyz/project.secrets.yaml": "there is no project 'xyz'; 'envtree new project xyz' makes it",
    "projects/search/teams/xyz/team.secrets.yaml": "there is no team 'xyz'; 'envtree new team search/xyz' makes it",
    "projects/xyz/teams/ranking/team.secrets.yaml": "there is no project 'xyz'",
}


@pytest.mark.parametrize("path", NO_ENTITY)
def test_the_folder_of_an_entity_that_does_not_exist_is_never_created(tmp_path: Path, path: str) -> None:
    projects = {
        "projects/search/project.yaml": "key: SEARCH\n",
        "projects/search/teams/ranking/team.yaml": "{}\n",
    }
    tree = make_secrets_tree(tmp_path, files=projects)
    (tree.root / "agents/clerk.yaml").unlink()
    (tree.root / "agents").rmdir()
    before = sorted(tree.root.rglob("*"))
    result = tree.run("secrets", "set", path, "A", stdin_input="hunter2-hunter2")
    assert (result.code, NO_ENTITY[path] in result.err) == (2, True), result
    assert sorted(tree.root.rglob("*")) == before


# Refused keys and values, and a part of the message.
REFUSED: dict[str, tuple[tuple[str, ...], str, str]] = {
    "no-segment": (("a..b",), "x", "a segment is missing"),
    "the-map-of-sops": (("sops.mac",), "x", "keeps for itself"),
    "colon": (("a:b",), "x", "without ':'"),
    "bracket": (("a[0]",), "x", "without ':' and '['"),
    "a-value-beside-the-key": (("a=hunter2",), "x", "the value comes from stdin"),
    "a-value-behind-the-key": (("a", "hunter2"), "x", "the value comes from stdin"),
    "plain-suffix": (("a_unencrypted",), "x", "leaves in plain text"),
    "inside-a-value": (("password.x",), "x", "'password' is a value, not a map"),
    "inside-a-list": (("hosts.0",), "x", "'hosts' is a list"),
    "over-a-map": (("db",), "x", "'db' is a map"),
    "another-scope": (("_scope",), "environments/staging", "the only value that it may have"),
    "nothing": (("a",), "", "there is no value"),
    "a-newline": (("a",), "\n", "there is no value"),
    "no-integer": (("a", "--type", "int"), "0755", "a whole number"),
    "too-great": (("a", "--type", "int"), str(2**63), "64 bits"),
    "no-float": (("a", "--type", "float"), "1,5", "a number"),
    "infinite": (("a", "--type", "float"), "1e999", "too large"),
    "no-bool": (("a", "--type", "bool"), "yes", "'true' or 'false'"),
    "no-json": (("a", "--json"), "{'hunter2': 1}", "JSON is expected"),
    "null-inside": (("a", "--json"), '{"x": [null]}', "there is no value"),
    "empty-inside": (("a", "--json"), '{"x": ""}', "there is no value"),
    "twice": (("a", "--json"), '{"x": 1, "x": 2}', "a key stands twice"),
    "NaN": (("a", "--json"), "[NaN]", "no numbers"),
    "half": (("a", "--json"), '"\\ud800"', "half a character"),
    "plain-inside": (("a", "--json"), '{"x_unencrypted": "y"}', "leaves in plain text"),
    "an-option": (("a", "--type", "text"), "x", "'text' is not one of"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_meant_is_a_usage_error(tree: SecretsTree, case: str) -> None:
    tree.set(PRODUCTION, "password", "old-old-old")
    tree.set(PRODUCTION, "hosts", ["first-host"])
    tree.set(PRODUCTION, "db.user", "somebody")
    before = tree.read(PRODUCTION)
    arguments, stdin_input, words = REFUSED[case]
    result = tree.run("secrets", "set", PRODUCTION, *arguments, stdin_input=stdin_input)
    assert (result.code, result.out) == (2, "")
    assert words in result.err
    assert "hunter2" not in result.err
    assert tree.read(PRODUCTION) == before


def test_bytes_that_are_no_text(tree: SecretsTree) -> None:
    result = tree.run("secrets", "set", PRODUCTION, "A", stdin_input=b"\xffhunter2")
    assert result.code == 2
    assert "base64" in result.err
    assert "hunter2" not in result.err


def test_a_dotenv_file_has_no_maps(tree: SecretsTree) -> None:
    for key, value in (("a.b", '"x"'), ("a", "[1]")):
        result = tree.run("secrets", "set", ENV, key, "--json", stdin_input=value)
        assert result.code == 2
        assert "no maps and lists" in result.err


# ── recipients of a new file ────────────────────────────────────────────────────────────────────────────────


def recipients(tree: SecretsTree, path: str) -> set[str]:
    return {line.split()[-1] for line in tree.read(path).splitlines() if "recipient:" in line}


def test_the_readers_of_the_project_come_before_those_of_the_organization(tmp_path: Path) -> None:
    tree = make_secrets_tree(tmp_path)
    ana = make_person("ana", tmp_path)
    files = {
        "organization.yaml": organization_with_people(tree.owner, ana, readers=("ana",)),
        "projects/shop/project.yaml": "key: shop\nsecret_readers: [me, ana]\n",
    }
    for path, text in files.items():
        (tree.root / path).parent.mkdir(parents=True, exist_ok=True)
        (tree.root / path).write_text(text)
    (tree.root / "agents/clerk.yaml").unlink()
    assert tree.run("secrets", "set", PRODUCTION, "A", stdin_input="abcdefgh").err.endswith("for ana\n")
    assert recipients(tree, PRODUCTION) == {ana.public}
    path = "projects/shop/project.secrets.yaml"
    assert tree.run("secrets", "set", path, "A", stdin_input="abcdefgh").err.endswith("for ana, me\n")
    assert recipients(tree, path) == {ana.public, tree.owner.public}


def test_the_first_rule_of_sops_that_matches(tmp_path: Path) -> None:
    tree = make_secrets_tree(tmp_path, readers=False)
    ana = make_person("ana", tmp_path)
    rules = [{"path_regex": r"staging", "age": ana.public}, {"age": f"{tree.owner.public},{ana.public}"}]
    (tree.root / ".sops.yaml").write_text(json.dumps({"creation_rules": rules}))
    for path, expected in ((PRODUCTION, {tree.owner.public, ana.public}), (f"{STAGING[:-4]}yaml", {ana.public})):
        assert tree.run("secrets", "set", path, "A", stdin_input="abcdefgh").code == 0
        assert recipients(tree, path) == expected


NOBODY = {
    "undeclared": ("", "", "ET640"),
    "no-key": ("people: {ana: {github: ana}}\nsecret_readers: [ana]\n", "", "ET640"),
    "a-service": ("", "creation_rules: [{kms: 'arn:aws:kms:eu-west-1:1:key/a'}]\n", "ET640"),
    "a-plugin": (
        "",
        "creation_rules: [{age: age1evil1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq}]\n",
        "ET604",
    ),
    "ssh": ("people: {ana: {age: ssh-ed25519 AAAA}}\nsecret_readers: [ana]\n", "", "ET604"),
}


@pytest.mark.parametrize("case", NOBODY)
def test_nothing_is_encrypted_for_nobody_or_for_keys_that_are_not_allowed(tmp_path: Path, case: str) -> None:
    organization, rules, code = NOBODY[case]
    tree = make_secrets_tree(
        tmp_path, readers=False, files={"organization.yaml": FILES["organization.yaml"] + organization}
    )
    if rules:
        (tree.root / ".sops.yaml").write_text(rules)
    result = tree.run(
        "secrets",
        "set",
        PRODUCTION,
        "A",
        stdin_input="hunter2-hunter2",
        environ={"PATH": "/usr/bin:/bin", "ENVTREE_SOPS": "path"},
    )
    assert result.code == 1
    assert f"error {code}" in result.err
    assert not (tree.root / PRODUCTION).exists()


# ── --inject ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_inject_makes_the_secret_a_variable(tree: SecretsTree) -> None:
    production = "environments/production.yaml"
    (tree.root / production).write_text("# live\nexecution_environment:\n  config: {a: 1}  # one\n")
    result = tree.run("secrets", "set", PRODUCTION, "API_KEY", "--inject", stdin_input="hunter2-hunter2")
    assert (result.code, result.err) == (
        0,
        f"began '{PRODUCTION}' with 'API_KEY', for me\n'API_KEY' is injected by '{production}'\n",
    )
    text = "# live\nexecution_environment:\n  config: {a: 1}  # one\n  secrets: [API_KEY]\n"
    assert tree.read(production) == text
    result = tree.run("secrets", "set", PRODUCTION, "API_KEY", "--inject", stdin_input="other-other")
    assert (result.code, "'API_KEY' is already injected" in result.err, tree.read(production)) == (0, True, text)
    shown = tree.run("show", "default/clerk@production", "--reveal", "--force", "--format", "compose")
    assert 'API_KEY="other-other"' in shown.out
    assert tree.run("check").code == 0


# Secrets files and keys, the file before, and the file after.
INJECTED = {
    ("organization.secrets.yaml", "A"): ("organization.yaml", None, "execution_environment:\n  secrets: [A]\n"),
    (STAGING, "db.password"): (
        "environments/staging.yaml",
        "{}\n",
        "execution_environment:\n  secrets: {DB_PASSWORD: db.password}\n",
    ),
    ("agents/clerk.secrets.yaml", "B"): (
        "agents/clerk.yaml",
        "execution_environment:\n  secrets: {A: a.b}\n",
        "execution_environment:\n  secrets: {A: a.b, B: B}\n",
    ),
    ("agents/clerk.production.secrets.yaml", "B"): (
        "agents/clerk.yaml",
        "environments:\n  staging: {}\n",
        "environments:\n  staging: {}\n  production:\n    execution_environment:\n      secrets: [B]\n",
    ),
    ("teams/desk/environments/production.secrets.yaml", "B"): (
        "teams/desk/environments/production.yaml",
        None,
        "execution_environment:\n  secrets: [B]\n",
    ),
}


@pytest.mark.parametrize(("path", "key"), INJECTED)
def test_inject_writes_the_file_that_the_secrets_belong_to(tree: SecretsTree, path: str, key: str) -> None:
    plain, before, after = INJECTED[path, key]
    (tree.root / "teams/desk").mkdir(parents=True)
    (tree.root / "teams/desk/team.yaml").write_text("{}\n")
    if before is not None:
        (tree.root / plain).write_text(before)
    old = tree.read(plain) if plain == "organization.yaml" else ""
    if "A: a.b" in (before or ""):
        tree.set(path, "a.b", "first-first")
    result = tree.run("secrets", "set", path, key, "--inject", stdin_input="hunter2-hunter2")
    assert (result.code, tree.read(plain)) == (0, old + after), result
    assert tree.run("check").code == 0


@pytest.mark.parametrize(
    ("section", "arguments", "code", "words"),
    [
        ("{B: a.b}", ("B",), 2, "'B' is the secret 'a.b' in 'agents/clerk.yaml'"),
        ("{$replace: [A]}", ("B",), 2, "add 'secrets: {B: B}' to it"),
        ("[A]", ("a.c",), 2, "add 'secrets: {A_C: a.c}' to it"),
        ("[A]", ("B", "--json"), 2, "leave out --inject"),
        ("[A]", ("LOCKED",), 1, "ET402"),
    ],
)
def test_inject_changes_nothing_where_it_cannot_be_done(
    tree: SecretsTree, section: str, arguments: tuple[str, ...], code: int, words: str
) -> None:
    path, clerk = "agents/clerk.secrets.yaml", "agents/clerk.yaml"
    tree.set(path, "A", "first-first")
    tree.set(path, "a.b", "first-first")
    locked = "execution_environment: {env_vars: {LOCKED: {$value: x, $lock: true}}}\n"
    (tree.root / "environments/production.yaml").write_text(locked)
    text = f"execution_environment:\n  secrets: {section}\n"
    (tree.root / clerk).write_text(text)
    before = tree.read(path)
    result = tree.run("secrets", "set", path, *arguments, "--inject", stdin_input='{"k": "hunter2"}')
    assert (result.code, words in result.err) == (code, True), result
    assert (tree.read(path), tree.read(clerk)) == (before, text)


# ── --missing ───────────────────────────────────────────────────────────────────────────────────────────────────────

DECLARED = {
    "organization.yaml": FILES["organization.yaml"]
    + "variables: {PAGER: {secret: true, required: true, environments: [production]}}\n"
    + "execution_environment: {secrets: [LOGS]}\n",
    "environments/production.yaml": "execution_environment: {secrets: {DB: db.password}}\n",
    "environments/staging.yaml": "{}\n",
    "agents/clerk.yaml": None,
    "projects/shop/project.yaml": "key: SHOP\nexecution_environment: {secrets: [SHOP_KEY]}\n",
    "projects/shop/agents/bot.yaml": "execution_environment: {secrets: [BOT_KEY]}\n",
    "projects/shop/teams/desk/team.yaml": "execution_environment: {secrets: [DESK_KEY]}\n",
    "projects/shop/teams/desk/agents/clerk.yaml": "{}\n",
}
MISSING = {
    "LOGS": (PRODUCTION, "organization.yaml:5"),
    "SHOP_KEY": ("projects/shop/environments/production.secrets.yaml", "projects/shop/project.yaml:2"),
    "db.password": (PRODUCTION, "environments/production.yaml:1"),
    "BOT_KEY": ("projects/shop/agents/bot.production.secrets.yaml", "projects/shop/agents/bot.yaml:1"),
    "PAGER": (PRODUCTION, "organization.yaml:4"),
    "DESK_KEY": (
        "projects/shop/teams/desk/environments/production.secrets.yaml",
        "projects/shop/teams/desk/team.yaml:1",
    ),
}


@pytest.fixture
def declaring(tmp_path: Path) -> SecretsTree:
    tree = make_secrets_tree(tmp_path, files={path: text for path, text in DECLARED.items() if text})
    (tree.root / "agents/clerk.yaml").unlink()
    (tree.root / "agents").rmdir()
    declared = DECLARED["organization.yaml"] or ""
    people = organization_with_people(tree.owner).removeprefix(FILES["organization.yaml"])
    (tree.root / "organization.yaml").write_text(declared + people)
    return tree


def test_missing_asks_for_what_is_declared_and_has_no_value(declaring: SecretsTree) -> None:
    answers = [
        answer
        for key, (file, place) in MISSING.items()
        for answer in [(f"{key} in {file}, declared at {place}", f"typed-{key}"), ("once more", f"typed-{key}")]
    ]
    assert "typed" not in answer_prompts(declaring, answers, "--missing", "**@production")
    assert declaring.plain(PRODUCTION)["db"] == {"password": "typed-db.password"}
    for key, (file, _) in MISSING.items():
        assert key == "db.password" or declaring.plain(file)[key] == f"typed-{key}"
    result = declaring.run("secrets", "set", "--missing", "**@production")
    assert (result.code, result.err) == (0, "nothing is missing in 2 bundles\n")
    assert declaring.run("check", "**@production").code == 0
    assert not (declaring.root / STAGING).exists()


def test_nothing_typed_skips_a_value(declaring: SecretsTree) -> None:
    answers = [(f"{key} in {file}", "") for key, (file, _) in MISSING.items() if key != "DESK_KEY"]
    answer_prompts(declaring, answers, "--missing", "shop/bot@production")
    assert not list(declaring.root.rglob("*.secrets.*"))


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--missing", "**@production"), 2, f"DESK_KEY in {MISSING['DESK_KEY'][0]}, declared at"),
        (("--missing", "**@production"), 2, "6 values missing; run it on a terminal"),
        (("--missing", "**@prodution"), 1, "ET309"),
        (("--missing", "**", PRODUCTION), 2, "leave FILE and KEY out"),
        ((), 2, "Missing argument 'FILE'"),
        ((PRODUCTION,), 2, "Missing argument 'KEY'"),
    ],
)
def test_missing_without_a_terminal_says_what_is_missing(
    declaring: SecretsTree, arguments: tuple[str, ...], code: int, words: str
) -> None:
    result = declaring.run("secrets", "set", *arguments)
    assert (result.code, words in result.err) == (code, True), result


# ── existing files ────────────────────────────────────────────────────────────────────────────────────────────


def test_a_file_that_is_broken_stays(tree: SecretsTree) -> None:
    tree.set(PRODUCTION, "A", "abcdefgh")
    text = tree.read(PRODUCTION).replace("sops:", "extra: pasted\nsops:", 1)
    (tree.root / PRODUCTION).write_text(text)
    result = tree.run("secrets", "set", PRODUCTION, "B", stdin_input="hunter2-hunter2")
    assert (result.code, tree.read(PRODUCTION)) == (1, text)
    assert "ET602" in result.err
    assert "pasted" not in result.err


def test_a_mac_that_does_not_match(tree: SecretsTree) -> None:
    tree.set(PRODUCTION, "A", "abcdefgh")
    tree.set(PRODUCTION, "B", "abcdefgh")
    text = tree.read(PRODUCTION).replace(f"{secret_line(tree.read(PRODUCTION), 'A')}\n", "")
    (tree.root / PRODUCTION).write_text(text)
    result = tree.run("secrets", "set", PRODUCTION, "B", stdin_input="hunter2-hunter2")
    assert (result.code, "ET610" in result.err, tree.read(PRODUCTION)) == (1, True, text)


def test_no_key(tree: SecretsTree) -> None:
    tree.set(PRODUCTION, "A", "abcdefgh")
    before = tree.read(PRODUCTION)
    nobody = {"SOPS_AGE_KEY_FILE": "/nowhere"}
    result = tree.run("secrets", "set", PRODUCTION, "A", stdin_input="hunter2-hunter2", environ=nobody)
    assert (result.code, "ET621" in result.err, tree.read(PRODUCTION)) == (3, True, before)
    assert "SOPS_AGE_KEY_FILE names no file: set it" in result.err
    assert "/nowhere" not in result.err


def test_a_link_is_not_followed(tree: SecretsTree) -> None:
    tree.set(PRODUCTION, "A", "abcdefgh")
    (tree.root / PRODUCTION).rename(tree.root / "agents/clerk.secrets.yaml")
    (tree.root / PRODUCTION).symlink_to("../agents/clerk.secrets.yaml")
    before = tree.read(PRODUCTION)
    result = tree.run("secrets", "set", PRODUCTION, "B", stdin_input="hunter2-hunter2")
    assert result.code in (1, 3), result
    assert tree.read(PRODUCTION) == before
