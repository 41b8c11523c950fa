"""What a diff tells of secrets files that the real sops has changed: the right words, no plaintext, no ciphertext."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pyrage
import pytest

from envtree.cli import invoke
from envtree.frontend.schemas import Schemas

PEOPLE = ("dana", "miguel", "aisha")
ORGANIZATION = """\
name: acme
edition: 2026
default_model: m/m
lint: {{ET353: 'off', ET650: 'off', ET651: 'off', ET656: 'off'}}
people:
  dana: {{age: {dana}}}
  miguel: {{age: {miguel}}}
  aisha: {{age: {aisha}}}
execution_environment:
  secrets: {{PASSWORD: db.password}}
  env_vars:
    URL: postgres://u:${{{{ secrets.db.password | urlencode }}}}@h/d
    PIN: ${{{{ secrets.db.pin }}}}
"""
FILES = {
    "environments/production.yaml": "{}\n",
    "environments/staging.yaml": "{}\n",
    "agents/a.yaml": "{}\n",
}
SECRETS, OTHER = "organization.secrets.yaml", "environments/production.secrets.yaml"
PLAIN = {"db": {"password": "quokka-one-1", "pin": 9182736}, "mail": {"token": "quokka-mail-1"}}
NEVER = ("quokka", "9182736", "ENC[", "BEGIN AGE", "iv:")
IDS = ["default/a@production", "default/a@staging"]


class Sealed(NamedTuple):
    """A tree with secrets, and the keys of its people."""

    folder: Path
    keys: dict[str, str]

    def sops(self, tree: Path, *arguments: str) -> None:
        """Run the real sops in a tree; a file is its last argument."""
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        environ = {"PATH": path, "SOPS_AGE_KEY_FILE": str(self.folder / "key"), "HOME": str(self.folder)}
        subprocess.run(["sops", *arguments], cwd=tree, env=environ, check=True, capture_output=True)

    def readers(self, tree: Path, *people: str) -> None:
        """Say in sops's own configuration who is to read the files."""
        keys = ",".join(self.keys[name] for name in people)
        (tree / ".sops.yaml").write_text(f"creation_rules: [{{age: '{keys}'}}]\n")


@pytest.fixture(scope="session")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Sealed:
    folder = tmp_path_factory.mktemp("sealed")
    identities = {name: pyrage.x25519.Identity.generate() for name in PEOPLE}
    (folder / "key").write_text("".join(f"{one}\n" for one in identities.values()))
    found = Sealed(folder, {name: str(one.to_public()) for name, one in identities.items()})
    for path, content in {**FILES, "organization.yaml": ORGANIZATION.format(**found.keys)}.items():
        (folder / "tree" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "tree" / path).write_text(content)
    (folder / "tree" / SECRETS).write_text(json.dumps(PLAIN))
    found.readers(folder / "tree", "dana", "miguel")
    found.sops(folder / "tree", "encrypt", "--in-place", SECRETS)
    return found


class Told(NamedTuple):
    """What was said of a difference, in three forms."""

    text: str
    data: Any
    markdown: str

    @property
    def file(self) -> Any:
        """The one secrets file that differs."""
        (only,) = self.data["secrets"]
        return only

    @property
    def keys(self) -> list[str]:
        """Its values that differ."""
        return [f"{one['key']} {one['kind']}" for one in self.file["keys"]]

    @property
    def changes(self) -> dict[str, bool]:
        """The values of the bundles that differ, and whether they may be the same."""
        return {f"{one['section']}.{one['key']}": one["reencrypted"] for one in self.data["changes"]}


Tell = Callable[..., Told]


@pytest.fixture
def tell(sealed: Sealed, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Tell:
    """Edit a copy of the tree, and tell what differs; another edit before it is one of both."""
    monkeypatch.chdir(tmp_path)

    def run(
        edit: Callable[[Path], object], before: Callable[[Path], object] = lambda tree: None, code: int = 0
    ) -> Told:
        shutil.copytree(sealed.folder / "tree", tmp_path / "base")
        before(tmp_path / "base")
        shutil.copytree(tmp_path / "base", tmp_path / "head")
        edit(tmp_path / "head")
        said = []
        for form in ("text", "json", "markdown"):
            assert invoke(["diff", "./base", "./head", "--format", form]) == code
            sys.stdout.flush()
            out, err = capfd.readouterr()
            assert not [word for word in NEVER if word in out + err]
            said.append(out)
        data = json.loads(said[1])
        assert Schemas().is_valid("output/diff", data)
        return Told(said[0], data, said[2])

    return run


def set_to(sealed: Sealed, path: str, value: str, file: str = SECRETS) -> Callable[[Path], object]:
    index = "".join(f'["{step}"]' for step in path.split("."))
    return lambda tree: sealed.sops(tree, "set", file, index, json.dumps(value))


@pytest.mark.parametrize("value", ["quokka-two-2", "quokka-of-another-length"])
def test_a_value_that_was_set(sealed: Sealed, tell: Tell, value: str) -> None:
    told = tell(set_to(sealed, "db.password", value))
    assert told.keys == ["db.password changed"]
    assert (told.file["kind"], told.file["reencrypted"], told.file["rolled_back"]) == ("changed", False, False)
    assert told.changes == {"env_vars.PASSWORD": False, "env_vars.URL": False}
    assert {
        (one["path"], one["line"], one["action"]) for change in told.data["changes"] for one in change["causes"]
    } == {(SECRETS, 2, "edited")}
    assert [one["bundles"] for one in told.data["changes"]] == [IDS, IDS]
    assert (
        told.text
        == f"""\
{SECRETS}:2 (edited)
  ~ env_vars.PASSWORD: its secret changes
  ~ env_vars.URL: its secret changes
    default/a@production, default/a@staging

secrets files
~ {SECRETS}
    db.password changed, line 2
"""
    )
    assert f"- **~** `{SECRETS}`\n  - `db.password` changed, line 2\n" in told.markdown
    assert "  - **~** `env_vars.PASSWORD`: its secret changes\n" in told.markdown


def test_a_file_that_was_rotated_may_hold_what_it_held(sealed: Sealed, tell: Tell) -> None:
    told = tell(lambda tree: sealed.sops(tree, "rotate", "--in-place", SECRETS))
    assert told.file["reencrypted"]
    assert {one["kind"] for one in told.file["keys"]} == {"reencrypted"}
    assert told.changes == {"env_vars.PASSWORD": True, "env_vars.URL": True, "env_vars.PIN": True}
    assert "~ env_vars.PASSWORD: its secret is encrypted anew, and may be the same\n" in told.text
    assert told.text.endswith(
        f"secrets files\n~ {SECRETS}\n"
        "    encrypted anew with another data key: whether its values changed takes a key to tell\n"
    )
    assert "  - encrypted anew with another data key" in told.markdown
    # Who reads one sentence only is not told of new values.
    assert told.markdown.startswith("### 1 agent has secrets encrypted anew in `production`, 1 in `staging`\n")
    assert "changed, line" not in told.markdown


def test_a_value_of_another_length_in_a_rotated_file_has_changed(sealed: Sealed, tell: Tell) -> None:
    def edit(tree: Path) -> None:
        sealed.sops(tree, "rotate", "--in-place", SECRETS)
        set_to(sealed, "db.password", "quokka-of-another-length")(tree)

    told = tell(edit)
    assert told.keys == ["db.password changed", "db.pin reencrypted", "mail.token reencrypted"]
    assert told.changes == {"env_vars.PASSWORD": False, "env_vars.URL": False, "env_vars.PIN": True}


def test_readers_that_come_and_go_with_the_same_data_key(sealed: Sealed, tell: Tell) -> None:
    def edit(tree: Path) -> None:
        sealed.readers(tree, "dana", "aisha")
        sealed.sops(tree, "updatekeys", "--yes", SECRETS)

    told = tell(edit)
    added, removed = told.file["readers_added"], told.file["readers_removed"]
    assert added == [{"kind": "age", "key": sealed.keys["aisha"], "person": "aisha"}]
    assert removed == [{"kind": "age", "key": sealed.keys["miguel"], "person": "miguel"}]
    assert (told.keys, told.changes, told.file["reencrypted"]) == ([], {}, False)
    aisha, miguel = (f"age {sealed.keys[name][:19]}…" for name in ("aisha", "miguel"))
    assert (
        told.text
        == f"""\
secrets files
~ {SECRETS}
    can now be read by aisha with {aisha}
    can no longer be read by miguel with {miguel} (the data key is the same: rotate it, and the secrets)
"""
    )
    assert f"  - can now be read by `aisha` with `{aisha}`\n" in told.markdown
    assert told.markdown.startswith("### No bundle changes\n")


def test_a_reader_that_goes_with_a_new_data_key(sealed: Sealed, tell: Tell) -> None:
    told = tell(lambda tree: sealed.sops(tree, "rotate", "--in-place", "--rm-age", sealed.keys["miguel"], SECRETS))
    assert told.file["reencrypted"]
    assert "can no longer be read by miguel" in told.text
    assert "rotate it" not in told.text


def test_a_reader_whom_nobody_knows_is_told_by_the_whole_key(sealed: Sealed, tell: Tell) -> None:
    stranger = str(pyrage.x25519.Identity.generate().to_public())
    told = tell(lambda tree: sealed.sops(tree, "rotate", "--in-place", "--add-age", stranger, SECRETS))
    assert told.file["readers_added"] == [{"kind": "age", "key": stranger, "person": None}]
    assert f"can now be read by age {stranger}\n" in told.text


def test_an_older_version_of_a_file_is_rolled_back(sealed: Sealed, tell: Tell) -> None:
    def later(tree: Path) -> None:
        set_to(sealed, "db.password", "quokka-two-2")(tree)
        file = tree / SECRETS
        # sops counts seconds, and less than one has gone by.
        year = file.read_text().partition('lastmodified: "')[2][:4]
        file.write_text(file.read_text().replace(f'lastmodified: "{year}', f'lastmodified: "{int(year) + 1}'))

    told = tell(lambda tree: shutil.copy(sealed.folder / "tree" / SECRETS, tree / SECRETS), later)
    assert told.file["rolled_back"]
    assert told.keys == ["db.password changed"]
    assert "    rolled back: it is older than what it replaces\n    db.password changed, line 2\n" in told.text


def test_secrets_that_come_and_go(sealed: Sealed, tell: Tell) -> None:
    def edit(tree: Path) -> None:
        set_to(sealed, "db.reader", "quokka-new-1")(tree)
        sealed.sops(tree, "unset", SECRETS, '["mail"]')

    told = tell(edit)
    assert sorted(told.keys) == ["db.reader added", "mail.token removed"]
    assert told.changes == {}
    assert "    db.reader added, line 4\n" in told.text
    assert "    mail.token removed, line 5\n" in told.text


def test_a_secret_that_moves_to_the_file_of_another_layer(sealed: Sealed, tell: Tell) -> None:
    def edit(tree: Path) -> None:
        (tree / OTHER).write_text(json.dumps({"db": {"password": "quokka-production-1"}}))
        sealed.sops(tree, "encrypt", "--in-place", OTHER)

    told = tell(edit)
    assert (told.file["path"], told.file["kind"], told.keys) == (OTHER, "added", ["db.password added"])
    assert told.file["copied_from"] is None
    assert [one["person"] for one in told.file["readers_added"]] == ["dana", "miguel"]
    assert told.changes == {"env_vars.PASSWORD": False, "env_vars.URL": False, "secrets.PASSWORD": False}
    assert all(one["bundles"] == IDS[:1] for one in told.data["changes"])
    # That the variable changes goes without saying.
    assert (
        f"""\
{OTHER}:2 (added)
  ~ env_vars.URL: its secret changes
  ~ secrets.PASSWORD: {SECRETS}#db.password → {OTHER}#db.password
    default/a@production
"""
        in told.text
    )
    assert f"+ {OTHER}\n    can be read by dana with age " in told.text


def test_a_file_that_was_copied(sealed: Sealed, tell: Tell) -> None:
    def edit(tree: Path) -> None:
        shutil.copy(tree / SECRETS, tree / OTHER)
        sealed.sops(tree, "unset", OTHER, '["mail"]')

    told = tell(edit)
    assert (told.file["path"], told.file["copied_from"], told.file["moved"]) == (OTHER, SECRETS, False)
    # What is as it is in the other file is no news.
    assert told.keys == ["mail.token removed"]
    assert f"+ {OTHER}\n    copied from {SECRETS}\n" in told.text
    assert f"- **+** `{OTHER}`\n  - copied from `{SECRETS}`\n" in told.markdown


def test_a_file_that_was_moved(sealed: Sealed, tell: Tell) -> None:
    told = tell(lambda tree: (tree / SECRETS).rename(tree / "agents/a.secrets.yaml"))
    moved, gone = told.data["secrets"]
    assert (moved["copied_from"], moved["moved"], moved["keys"]) == (SECRETS, True, [])
    assert (gone["path"], gone["kind"]) == (SECRETS, "removed")
    assert f"+ agents/a.secrets.yaml\n    moved from {SECRETS}\n" in told.text
    assert told.changes["env_vars.PASSWORD"] is False


def test_a_file_in_the_clear_is_told_without_its_values(sealed: Sealed, tell: Tell) -> None:
    told = tell(lambda tree: (tree / SECRETS).write_text("db: {password: quokka-plain-1}\n"), code=1)
    assert (told.file["kind"], told.keys, told.data["not_compared"]) == ("changed", [], IDS)
    assert f"~ {SECRETS}\n" in told.text
