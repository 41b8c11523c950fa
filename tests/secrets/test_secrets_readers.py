"""`envtree secrets readers`: the report, compared with what the real sops opens with each person's key."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from envtree.cli import invoke
from tests.support.command_line import CommandResult, RunCommand, write_files
from tests.support.real_sops import (
    HEAD,
    SopsUser,
    decrypt_file,
    encrypt_file,
    make_age_user,
    make_pgp_user,
    people_section,
    run_sops,
)
from tests.unit.frontend.test_schemas import verdict

FILES = {
    "environments/production.yaml": "{}\n",
    "environments/staging.yaml": "{}\n",
    "projects/shop/project.yaml": "key: SHOP\nsecret_readers: [ben, ci]\nexecution_environment: {secrets: [SHARED]}\n",
    "projects/shop/agents/a.yaml": (
        "execution_environment:\n  secrets: {DB: db.password}\n"
        "  env_vars: {URL: 'x://${{ secrets.own.token }}@h'}\n  config: {nested: ['${{ secrets.SHARED }}']}\n"
        "environments: {production: {execution_environment: {secrets: [LIVE]}}}\n"
    ),
    "projects/web/project.yaml": "key: WEB\n",
    "projects/web/agents/b.yaml": "execution_environment: {secrets: [TWO]}\n",
}
# By file: the values, and the options of sops with names in braces.
SECRETS = {
    "organization": ("SHARED: long-enough\ndb: {password: the-default}\nIDLE: long-enough\n", ["--age={ana},{ci}"]),
    "projects/shop/project": ("db: {password: long-enough}\n", ["--age={ben},{ci}", "--pgp={pgp}"]),
    "projects/shop/agents/a": ("own: {token: long-enough}\n", ["--age={ben},{mallory}"]),
    "projects/shop/agents/a.production": ("LIVE: long-enough\n", ["--age={ben},{ci}"]),
    "projects/web/project": ("TWO: long-enough\n", []),
}
GROUPS = "creation_rules: [{{key_groups: [{{age: [{ana}]}}, {{age: [{ci}, {ben}]}}]}}]\n"


class World(NamedTuple):
    """A tree, and the people with keys by name."""

    root: Path
    crowd: Mapping[str, SopsUser]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("world")
    root = folder / "tree"
    with make_pgp_user() as pgp:
        crowd = {name: make_age_user(folder, name) for name in ("ana", "ben", "ci", "mallory")} | {"pgp": pgp}
        public = {name: user.public for name, user in crowd.items()}
        people = people_section(**{name: crowd[name] for name in ("ana", "ben", "ci", "pgp")})
        organization = f"{HEAD}lint: {{ET651: 'off'}}\n{people}secret_readers: [ana, ci]\n"
        write_files(root, {**FILES, "organization.yaml": organization, ".sops.yaml": GROUPS.format(**public)})
        for stem, (text, options) in SECRETS.items():
            words = [option.format(**public) for option in options]
            encrypt_file(root, f"{stem}.secrets.yaml", f"_scope: {stem}\n{text}", *words, user=pgp)
        (root / ".sops.yaml").unlink()
        yield World(root, crowd)


@pytest.fixture
def envtree(world: World, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> RunCommand:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)

    def run(*words: str) -> CommandResult:
        return CommandResult(invoke(["-C", str(world.root), "secrets", "readers", *words]), *capfd.readouterr())

    return run


def answer(envtree: RunCommand, *words: str) -> dict[str, Any]:
    result = envtree("--output-format", "json", *words)
    assert (result.code, result.err) == (0, "")
    data: dict[str, Any] = json.loads(result.out)
    assert verdict("output/readers.schema.json", data)
    return data


def test_who_can_open_which_file_is_what_sops_opens(world: World, envtree: RunCommand) -> None:
    data = answer(envtree)
    by_name = {person["name"]: person for person in data["people"]}
    names = {name: name if name != "mallory" else user.public for name, user in world.crowd.items()}
    for file in data["files"]:
        path = file["path"]
        for name, user in world.crowd.items():
            opens = decrypt_file(world.root, path, user) is not None
            has_key = path in by_name[names[name]]["files"]
            assert opens == (has_key and file["threshold"] == 1), (name, path)
    # Keys of both groups together open the file that neither opens alone.
    both_keys = world.root.parent / "both"
    both_keys.write_text("".join((world.root.parent / name).read_text() for name in ("ana", "ben")))
    opened = run_sops(
        world.root,
        "decrypt",
        "./projects/web/project.secrets.yaml",
        user=SopsUser("", {"SOPS_AGE_KEY_FILE": str(both_keys)}),
    )
    assert b"long-enough" in opened.stdout
    assert [file["threshold"] for file in data["files"]] == [1, 1, 1, 1, 2]


def test_which_secrets_of_which_bundles(envtree: RunCommand) -> None:
    """The report has only the secrets that a bundle reads, not all secrets of the file."""
    data = answer(envtree)
    reads = {
        person["name"]: {
            bundle["id"]: sorted(
                (secret["file"].removesuffix(".secrets.yaml"), secret["path"]) for secret in bundle["secrets"]
            )
            for bundle in person["bundles"]
        }
        for person in data["people"]
    }
    shared, own = ("organization", "SHARED"), ("projects/shop/agents/a", "own.token")
    password, live = ("projects/shop/project", "db.password"), ("projects/shop/agents/a.production", "LIVE")
    web = [("projects/web/project", "TWO")]
    assert reads["ben"] == {
        "shop/a@production": sorted([own, live, password]),
        "shop/a@staging": sorted([own, password]),
        "web/b@production": web,
        "web/b@staging": web,
    }
    assert reads["ana"] == {
        "shop/a@production": [shared],
        "shop/a@staging": [shared],
        "web/b@production": web,
        "web/b@staging": web,
    }
    assert reads["ci"]["shop/a@production"] == sorted([shared, live, password])
    assert reads["pgp"] == {"shop/a@production": [password], "shop/a@staging": [password]}
    (stranger,) = [person for person in data["people"] if not person["known"]]
    assert reads[stranger["name"]] == {"shop/a@production": [own], "shop/a@staging": [own]}
    alone = {
        secret["alone"]
        for person in data["people"]
        for bundle in person["bundles"]
        if "web" in bundle["id"]
        for secret in bundle["secrets"]
    }
    assert alone == {False}


def test_who_should_read_and_cannot_and_the_other_way_round(world: World, envtree: RunCommand) -> None:
    files = {file["path"].removesuffix(".secrets.yaml"): file for file in answer(envtree)["files"]}
    differences = {path: (file["strangers"], file["missing"]) for path, file in files.items()}
    assert differences == {
        "organization": ([], []),
        "projects/shop/project": (["pgp"], []),
        "projects/shop/agents/a": ([world.crowd["mallory"].public], ["ci"]),
        "projects/shop/agents/a.production": ([], []),
        "projects/web/project": (["ben"], []),
    }
    assert all(file["declared"] for file in files.values())


def test_selectors_and_persons_narrow_it(envtree: RunCommand) -> None:
    data = answer(envtree, "web/**@staging", "--person", "ana")
    assert [person["name"] for person in data["people"]] == ["ana"]
    assert [bundle["id"] for bundle in data["people"][0]["bundles"]] == ["web/b@staging"]
    assert len(data["files"]) == 5
    result = envtree("--person", "anna")
    assert result.code == 2
    assert "did you mean 'ana'?" in result.err
    assert envtree("nothing/**").code == 1


def test_for_people(world: World, envtree: RunCommand) -> None:
    result = envtree()
    mallory = world.crowd["mallory"].public
    lines = result.out.splitlines()
    short = f"{mallory[:12]}…{mallory[-6:]}"
    assert lines[0].split() == ["file", "ana", "ben", "ci", "pgp", short]
    assert lines[1].split() == ["organization.secrets.yaml", "x", "x"]
    assert lines[3].split() == ["projects/shop/agents/a.secrets.yaml", "x", "-!", "x!"]
    assert lines[5].split() == ["projects/web/project.secrets.yaml", "(x)", "x!", "(x)"]
    assert "(x)  only with another's key" in lines
    assert "x!  can read, and is not declared" in lines
    assert "-!  is declared, and cannot read" in lines
    assert "ana can read 2 secrets of 4 bundles" in lines
    assert f"{mallory}, whom nobody knows, can read 1 secret of 2 bundles" in lines
    assert "  own.token  projects/shop/agents/a.secrets.yaml  shop/a@production, shop/a@staging" in lines
    assert "long-enough" not in result.out
    lines = envtree("-v", "--person", "pgp").out.splitlines()
    assert lines[-3:] == [
        "  db.password  projects/shop/project.secrets.yaml",
        "    shop/a@production",
        "    shop/a@staging",
    ]


def test_a_tree_with_other_errors_has_an_answer_about_the_rest(
    world: World, envtree: RunCommand, tmp_path: Path
) -> None:
    write_files(world.root, {"projects/web/agents/c.yaml": "descripton: x\n"})
    try:
        result = envtree()
    finally:
        (world.root / "projects/web/agents/c.yaml").unlink()
    assert (result.code, "ana can read 2 secrets" in result.out) == (1, True)
    assert "ET201" in result.err
    assert "the answer lacks 2 of 6 bundles: web/c@production, web/c@staging" in result.err


def test_a_tree_without_secrets(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    files = {"organization.yaml": HEAD, "environments/dev.yaml": "{}\n", "agents/a.yaml": "{}\n"}
    write_files(tmp_path, files)
    assert invoke(["-C", str(tmp_path), "secrets", "readers"]) == 0
    assert capfd.readouterr().out == "there are no secrets files\n"
