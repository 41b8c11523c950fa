"""`envtree secrets get`, `list` and `unset`, with the real sops."""

import json
import re
from pathlib import Path

import pytest

from tests.support.secrets_tree import PRODUCTION, STAGING, SecretsTree, make_secrets_tree
from tests.unit.frontend.test_schemas import verdict

NO_KEY = {"SOPS_AGE_KEY_FILE": "/nowhere"}
CLERK = "agents/clerk.yaml"


@pytest.fixture
def tree(tmp_path: Path) -> SecretsTree:
    tree = make_secrets_tree(tmp_path, files={"organization.yaml": "", CLERK: "{}\n"})
    tree.set(PRODUCTION, "db.password", "hunter2-hunter2")
    tree.set(PRODUCTION, "db.port", 5432)
    tree.set(PRODUCTION, "hosts", ["first-host", "second-host"])
    tree.set(PRODUCTION, "TOKEN", "two\nlines")
    return tree


# ── get ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("key", "expected"),
    {
        "db.password": "hunter2-hunter2\n",
        "db.port": "5432\n",
        "TOKEN": "two\nlines\n",
        "hosts": '[\n  "first-host",\n  "second-host"\n]\n',
        "db": '{\n  "password": "hunter2-hunter2",\n  "port": 5432\n}\n',
        "_scope": "environments/production\n",
    }.items(),
)
def test_get_prints_a_value_raw(tree: SecretsTree, key: str, expected: str) -> None:
    assert tree.run("secrets", "get", PRODUCTION, key, "--reveal") == (0, expected, "")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((PRODUCTION, "db.password"), 2, "'db.password' is secret; add --reveal"),
        ((PRODUCTION, "db.pasword"), 2, "there is no 'db.pasword' in 'environments/production.secrets.yaml'; did you"),
        ((PRODUCTION, "hosts.0", "--reveal"), 2, "there is no 'hosts.0'"),
        ((PRODUCTION, "a..b", "--reveal"), 2, "a segment is missing"),
        ((STAGING, "A", "--reveal"), 2, f"there is no '{STAGING}' yet"),
    ],
)
def test_get_prints_nothing_but_what_was_asked_for(
    tree: SecretsTree, arguments: tuple[str, ...], code: int, words: str
) -> None:
    result = tree.run("secrets", "get", *arguments)
    assert (result.code, result.out, words in result.err) == (code, "", True), result
    assert "hunter2" not in result.err


def test_get_without_a_key_says_so(tree: SecretsTree) -> None:
    result = tree.run("secrets", "get", PRODUCTION, "TOKEN", "--reveal", environ=NO_KEY)
    assert (result.code, result.out, "ET621" in result.err) == (3, "", True), result


def test_get_takes_no_value_from_a_changed_file(tree: SecretsTree) -> None:
    text = re.sub(r'lastmodified: "20', 'lastmodified: "19', tree.read(PRODUCTION))
    (tree.root / PRODUCTION).write_text(text)
    result = tree.run("secrets", "get", PRODUCTION, "TOKEN", "--reveal")
    assert (result.code, result.out, "ET610" in result.err) == (1, "", True), result


# ── list ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_list_says_for_each_secret_who_injects_it(tree: SecretsTree) -> None:
    clerk = "execution_environment:\n  config: {url: 'x://${{ secrets.db.port | default(1) }}'}\n"
    overlay = "environments: {production: {execution_environment: {secrets: {PGPASSWORD: db.password}}}}\n"
    (tree.root / CLERK).write_text(clerk + overlay)
    result = tree.run("secrets", "list", environ=NO_KEY)
    assert result.code == 0, result
    head, *rows = result.out.splitlines()
    assert head == f"{PRODUCTION}, changed today"
    assert [row.split(maxsplit=2) for row in rows] == [
        ["db.password", "str", f"PGPASSWORD by {CLERK}:3"],
        ["db.port", "int", "read by expressions only"],
        ["hosts", "list", "read by no bundle"],
        ["TOKEN", "str", "read by no bundle"],
    ]
    assert result.err == "4 secrets in 1 file\n"


def test_list_of_selected_bundles_as_json(tree: SecretsTree) -> None:
    (tree.root / CLERK).write_text(
        "environments: {production: {execution_environment: {secrets: {PGPASSWORD: db.password}}}}\n"
    )
    bundle = "default/clerk@production"
    answer = json.loads(tree.run("secrets", "list", "**@production", "--output-format", "json").out)
    assert verdict("output/secrets.schema.json", answer)
    (secret,) = answer["secrets"]
    assert secret.pop("lastmodified")[:2] == "20"
    assert secret == {
        "file": PRODUCTION,
        "path": "db.password",
        "type": "str",
        "injected_as": [{"name": "PGPASSWORD", "path": CLERK, "line": 1}],
        "bundles": [bundle],
    }
    assert tree.run("secrets", "list", "**@staging").err == "there are no secrets\n"


# ── unset ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_unset_removes_a_value_and_no_other_changes_a_byte(tree: SecretsTree) -> None:
    before = tree.read(PRODUCTION).splitlines()
    result = tree.run("secrets", "unset", PRODUCTION, "db.password")
    assert result == (0, "", f"removed 'db.password' from '{PRODUCTION}'\n")
    assert tree.plain(PRODUCTION) == {
        "_scope": "environments/production",
        "db": {"port": 5432},
        "hosts": ["first-host", "second-host"],
        "TOKEN": "two\nlines",
    }
    gone = [line.split(":")[0].strip() for line in before if line not in tree.read(PRODUCTION).splitlines()]
    assert sorted({*gone} - {"lastmodified"}) == ["mac", "password"]


def test_unset_removes_maps_and_lists_and_leaves_no_empty_map(tree: SecretsTree) -> None:
    for key in ("db.password", "db.port", "hosts"):
        assert tree.run("secrets", "unset", PRODUCTION, key).code == 0
    assert tree.plain(PRODUCTION) == {"_scope": "environments/production", "TOKEN": "two\nlines"}
    assert tree.run("secrets", "unset", PRODUCTION, "TOKEN").code == 0
    assert tree.plain(PRODUCTION) == {"_scope": "environments/production"}
    assert tree.run("check").code == 0


def test_unset_refuses_what_a_bundle_needs(tree: SecretsTree) -> None:
    (tree.root / CLERK).write_text(
        "environments: {production: {execution_environment: {secrets: {PGPASSWORD: db.password}}}}\n"
    )
    before = tree.read(PRODUCTION)
    result = tree.run("secrets", "unset", PRODUCTION, "db")
    assert (result.code, "ET601" in result.err, CLERK in result.err) == (1, True, True), result
    assert f"'{PRODUCTION}' is as it was: 'db' is needed" in result.err
    assert tree.read(PRODUCTION) == before


@pytest.mark.parametrize(("key", "words"), [("_scope", "it stays"), ("TOKE", "did you mean 'TOKEN'?")])
def test_unset_of_what_is_no_secret_is_usage(tree: SecretsTree, key: str, words: str) -> None:
    before = tree.read(PRODUCTION)
    result = tree.run("secrets", "unset", PRODUCTION, key)
    assert (result.code, words in result.err) == (2, True), result
    assert tree.read(PRODUCTION) == before
