"""`envtree secrets init`: an age key, its owner as a reader, rules for the real sops, and drivers for git; once."""

import re
import stat
from pathlib import Path

import pyrage
import pytest

from tests.support.command_line import CommandResult
from tests.support.secrets_tree import FILES, PRODUCTION, SecretsTree, make_person, make_secrets_tree

PRIVATE = "AGE-SECRET-KEY"


@pytest.fixture
def tree(tmp_path: Path) -> SecretsTree:
    tree = make_secrets_tree(tmp_path, readers=False)
    tree.git("init", "-q", "-b", "main", ".")
    return tree


def init(tree: SecretsTree, *arguments: str, **environ: str) -> CommandResult:
    result = tree.run("secrets", "init", *arguments, environ=environ)
    assert PRIVATE not in result.out + result.err
    return result


def test_a_tree_without_anything_can_keep_secrets_at_once(tree: SecretsTree) -> None:
    file = tree.home / "keys/new.txt"
    result = init(tree, "--name", "ana", SOPS_AGE_KEY_FILE=str(file))
    assert (result.code, result.out) == (0, ""), result
    made, declared, rules, git = result.err.splitlines()
    public = str(pyrage.x25519.Identity.from_str(file.read_text().splitlines()[-1]).to_public())
    assert made == f"made the age key {public} in '{file}': keep a copy in a safe place"
    assert declared == f"declared 'ana' with {public} as a reader in organization.yaml"
    assert (rules, ".gitattributes" in git) == ("wrote .sops.yaml", True)
    assert [stat.S_IMODE(path.stat().st_mode) for path in (file, file.parent)] == [0o600, 0o700]
    assert file.read_text().splitlines()[1] == f"# public key: {public}"
    assert tree.read("organization.yaml") == (
        FILES["organization.yaml"] + f"people:\n  ana: {{age: {public}}}\nsecret_readers: [ana]\n"
    )
    key = {"SOPS_AGE_KEY_FILE": str(file)}
    result = tree.run("secrets", "set", PRODUCTION, "A", "--inject", stdin_input="hunter2-hunter2", environ=key)
    assert (result.code, tree.run("check").code) == (0, 0), result
    assert tree.run("secrets", "get", PRODUCTION, "A", "--reveal", environ=key).out == "hunter2-hunter2\n"
    assert tree.run("secrets", "sync", "--check").code == 0


def test_a_second_run_changes_nothing(tree: SecretsTree) -> None:
    init(tree, "--name", "ana")
    before = {path: path.read_bytes() for path in tree.root.rglob("*") if path.is_file()}
    assert init(tree) == (0, "", "nothing to do\n")
    assert {path: path.read_bytes() for path in tree.root.rglob("*") if path.is_file()} == before


def test_the_key_at_hand_is_taken_and_stays_as_it_is(tree: SecretsTree) -> None:
    before = tree.owner.file.read_bytes()
    result = init(tree, "--name", "ana")
    assert (result.code, "made" in result.err, tree.owner.public in result.err) == (0, False, True)
    assert tree.owner.file.read_bytes() == before
    other = make_person("other", tree.home)
    result = init(tree, "--name", "ben", SOPS_AGE_KEY=other.file.read_text())
    assert f"declared 'ben' with {other.public}" in result.err
    assert tree.read("organization.yaml").endswith("secret_readers: [ana, ben]\n")


def test_the_default_place_is_that_of_sops(tree: SecretsTree) -> None:
    result = init(tree, SOPS_AGE_KEY_FILE="", XDG_CONFIG_HOME=str(tree.home / "config"))
    assert (result.code, (tree.home / "config/sops/age/keys.txt").exists()) == (0, True), result


def test_of_several_keys_the_declared_one_is_meant(tree: SecretsTree) -> None:
    init(tree, "--name", "ana")
    first = make_person("first", tree.home)
    keys = tree.home / "keys.txt"
    keys.write_text(f"# two\n{first.file.read_text()}{tree.owner.file.read_text()}")
    assert init(tree, SOPS_AGE_KEY_FILE=str(keys)).err == "nothing to do\n"


def test_a_reader_of_a_tree_with_files_says_who_opens_them(tree: SecretsTree) -> None:
    init(tree, "--name", "ana")
    tree.set(PRODUCTION, "A", "hunter2-hunter2")
    other = make_person("other", tree.home)
    result = init(tree, "--name", "ben", SOPS_AGE_KEY_FILE=str(other.file))
    assert (result.code, "secrets sync --update-keys" in result.err) == (0, True), result
    assert tree.run("secrets", "sync", "--update-keys").code == 0
    key = {"SOPS_AGE_KEY_FILE": str(other.file)}
    assert tree.run("secrets", "get", PRODUCTION, "A", "--reveal", environ=key).out == "hunter2-hunter2\n"


def test_outside_of_a_repository_git_is_left_out(tmp_path: Path) -> None:
    tree = make_secrets_tree(tmp_path, readers=False)
    result = init(tree, "--name", "ana")
    assert (result.code, "git init" in result.err, (tree.root / ".sops.yaml").exists()) == (0, True, True)
    assert not (tree.root / ".gitattributes").exists()


# Texts of organization.yaml, arguments, variables, the exit code, and a part of the message.
REFUSED: dict[str, tuple[str, tuple[str, ...], dict[str, str], int, str]] = {
    "name": ("", ("--name", "a b"), {}, 2, "'a b' is no name for 'people'"),
    "no-age-keys": ("secrets: {key_types: [pgp]}\n", (), {}, 1, "ET604"),
    "a-command": ("", (), {"SOPS_AGE_KEY_CMD": "echo"}, 1, "envtree does not run it"),
    "no-key": ("", (), {"SOPS_AGE_KEY": "hunter2"}, 1, "SOPS_AGE_KEY does not hold plain age keys"),
    "an-encrypted-file": ("", (), {"SOPS_AGE_KEY_FILE": "organization.yaml"}, 1, "ET645"),
    "in-the-repository": ("", (), {"SOPS_AGE_KEY_FILE": "new.txt"}, 1, "ET646"),
    "another-key": (f"people: {{ana: {{age: age1{'q' * 58}}}}}\n", ("--name", "ana"), {}, 1, "with --name, or write"),
    "no-place": ("people: {\n  x: {github: x}  # x\n}\n", ("--name", "ana"), {}, 1, "add to it: 'people: {ana: {age: "),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_done_changes_nothing(tree: SecretsTree, case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    more, arguments, environ, code, words = REFUSED[case]
    monkeypatch.chdir(tree.root)
    (tree.root / "organization.yaml").write_text(FILES["organization.yaml"] + more)
    before = sorted(tree.root.rglob("*"))
    result = init(tree, *arguments, **environ)
    assert (result.code, words in result.err) == (code, True), result
    assert "hunter2" not in result.err
    assert sorted(tree.root.rglob("*")) == before
    assert tree.read("organization.yaml") == FILES["organization.yaml"] + more


def test_the_name_of_the_login_is_made_a_valid_one(tree: SecretsTree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "_Ana Müller\n")
    assert re.search(r"declared 'Ana-M-ller' with", init(tree).err)
