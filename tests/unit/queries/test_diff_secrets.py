"""Diffs of secrets files that the real sops has changed: the descriptions, without plaintext or ciphertext."""

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
FORBIDDEN = ("quokka", "9182736", "ENC[", "BEGIN AGE", "iv:")
IDS = ["default/a@production", "default/a@staging"]


class SealedTree(NamedTuple):
    """A tree with secrets, and the keys of its people."""

    folder: Path
    keys: dict[str, str]

    def sops(self, tree: Path, *arguments: str) -> None:
        """Run the real sops in a tree; a file is its last argument."""
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        environ = {"PATH": path, "SOPS_AGE_KEY_FILE": str(self.folder / "key"), "HOME": str(self.folder)}
        subprocess.run(["sops", *arguments], cwd=tree, env=environ, check=True, capture_output=True)

    def readers(self, tree: Path, *people: str) -> None:
        """Declare the readers of all files in sops's own configuration."""
        keys = ",".join(self.keys[name] for name in people)
        (tree / ".sops.yaml").write_text(f"creation_rules: [{{age: '{keys}'}}]\n")


@pytest.fixture(scope="session")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> SealedTree:
    folder = tmp_path_factory.mktemp("sealed")
    identities = {name: pyrage.x25519.Identity.generate() for name in PEOPLE}
    (folder / "key").write_text("".join(f"{identity}\n" for identity in identities.values()))
    tree = SealedTree(folder, {name: str(identity.to_public()) for name, identity in identities.items()})
    for path, content in {**FILES, "organization.yaml": ORGANIZATION.format(**tree.keys)}.items():
        (folder / "tree" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "tree" / path).write_text(content)
    (folder / "tree" / SECRETS).write_text(json.dumps(PLAIN))
    tree.readers(folder / "tree", "dana", "miguel")
    tree.sops(folder / "tree", "encrypt", "--in-place", SECRETS)
    return tree


class Reports(NamedTuple):
    """A diff in three formats."""

    text: str
    data: Any
    markdown: str

    @property
    def file(self) -> Any:
        """The only secrets file that differs."""
        (only,) = self.data["secrets"]
        return only

    @property
    def keys(self) -> list[str]:
        """The values in the file that differ."""
        return [f"{leaf['key']} {leaf['kind']}" for leaf in self.file["keys"]]

    @property
    def changes(self) -> dict[str, bool]:
        """The values of the bundles that differ, and whether they may be the same."""
        return {f"{change['section']}.{change['key']}": change["reencrypted"] for change in self.data["changes"]}


RunDiff = Callable[..., Reports]


@pytest.fixture
def run_diff(
    sealed: SealedTree, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> RunDiff:
    """Edit a copy of the tree, and return the diff; `before` edits both versions first."""
    monkeypatch.chdir(tmp_path)

    def run(
        edit: Callable[[Path], object], before: Callable[[Path], object] = lambda tree: None, code: int = 0
    ) -> Reports:
        shutil.copytree(sealed.folder / "tree", tmp_path / "base")
        before(tmp_path / "base")
        shutil.copytree(tmp_path / "base", tmp_path / "head")
        edit(tmp_path / "head")
        outputs = []
        for format in ("text", "json", "markdown"):
            assert invoke(["diff", "./base", "./head", "--output-format", format]) == code
            sys.stdout.flush()
            out, err = capfd.readouterr()
            assert not [word for word in FORBIDDEN if word in out + err]
            outputs.append(out)
        data = json.loads(outputs[1])
        assert Schemas().is_valid("output/diff", data)
        return Reports(outputs[0], data, outputs[2])

    return run


def set_to(sealed: SealedTree, path: str, value: str, file: str = SECRETS) -> Callable[[Path], object]:
    index = "".join(f'["{step}"]' for step in path.split("."))
    return lambda tree: sealed.sops(tree, "set", file, index, json.dumps(value))


@pytest.mark.parametrize("value", ["quokka-two-2", "quokka-of-another-length"])
def test_a_value_that_was_set(sealed: SealedTree, run_diff: RunDiff, value: str) -> None:
    reports = run_diff(set_to(sealed, "db.password", value))
    assert reports.keys == ["db.password changed"]
    assert (reports.file["kind"], reports.file["reencrypted"], reports.file["rolled_back"]) == ("changed", False, False)
    assert reports.changes == {"env_vars.PASSWORD": False, "env_vars.URL": False}
    assert {
        (cause["path"], cause["line"], cause["action"])
        for change in reports.data["changes"]
        for cause in change["causes"]
    } == {(SECRETS, 2, "edited")}
    assert [change["bundles"] for change in reports.data["changes"]] == [IDS, IDS]
    assert (
        reports.text
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
    assert f"- **~** `{SECRETS}`\n  - `db.password` changed, line 2\n" in reports.markdown
    assert "  - **~** `env_vars.PASSWORD`: its secret changes\n" in reports.markdown


def test_a_file_that_was_rotated_may_hold_what_it_held(sealed: SealedTree, run_diff: RunDiff) -> None:
    reports = run_diff(lambda tree: sealed.sops(tree, "rotate", "--in-place", SECRETS))
    assert reports.file["reencrypted"]
    assert {leaf["kind"] for leaf in reports.file["keys"]} == {"reencrypted"}
    assert reports.changes == {"env_vars.PASSWORD": True, "env_vars.URL": True, "env_vars.PIN": True}
    assert "~ env_vars.PASSWORD: its secret is encrypted anew, and may be the same\n" in reports.text
    assert reports.text.endswith(
        f"secrets files\n~ {SECRETS}\n"
        "    encrypted anew with another data key: whether its values changed takes a key to tell\n"
    )
    assert "  - encrypted anew with another data key" in reports.markdown
    # The heading alone must not announce new values.
    assert reports.markdown.startswith("### 1 agent has secrets encrypted anew in `production`, 1 in `staging`\n")
    assert "changed, line" not in reports.markdown


def test_a_value_of_another_length_in_a_rotated_file_has_changed(sealed: SealedTree, run_diff: RunDiff) -> None:
    def edit(tree: Path) -> None:
        sealed.sops(tree, "rotate", "--in-place", SECRETS)
        set_to(sealed, "db.password", "quokka-of-another-length")(tree)

    reports = run_diff(edit)
    assert reports.keys == ["db.password changed", "db.pin reencrypted", "mail.token reencrypted"]
    assert reports.changes == {"env_vars.PASSWORD": False, "env_vars.URL": False, "env_vars.PIN": True}


def test_readers_that_come_and_go_with_the_same_data_key(sealed: SealedTree, run_diff: RunDiff) -> None:
    def edit(tree: Path) -> None:
        sealed.readers(tree, "dana", "aisha")
        sealed.sops(tree, "updatekeys", "--yes", SECRETS)

    reports = run_diff(edit)
    added, removed = reports.file["readers_added"], reports.file["readers_removed"]
    assert added == [{"kind": "age", "key": sealed.keys["aisha"], "person": "aisha"}]
    assert removed == [{"kind": "age", "key": sealed.keys["miguel"], "person": "miguel"}]
    assert (reports.keys, reports.changes, reports.file["reencrypted"]) == ([], {}, False)
    aisha, miguel = (f"age {sealed.keys[name][:19]}…" for name in ("aisha", "miguel"))
    assert (
        reports.text
        == f"""\
secrets files
~ {SECRETS}
    can now be read by aisha with {aisha}
    can no longer be read by miguel with {miguel} (the data key is the same: rotate it, and the secrets)
"""
    )
    assert f"  - can now be read by `aisha` with `{aisha}`\n" in reports.markdown
    assert reports.markdown.startswith("### No bundle changes\n")


def test_a_reader_that_goes_with_a_new_data_key(sealed: SealedTree, run_diff: RunDiff) -> None:
    reports = run_diff(
        lambda tree: sealed.sops(tree, "rotate", "--in-place", "--rm-age", sealed.keys["miguel"], SECRETS)
    )
    assert reports.file["reencrypted"]
    assert "can no longer be read by miguel" in reports.text
    assert "rotate it" not in reports.text


def test_a_reader_whom_nobody_knows_is_told_by_the_whole_key(sealed: SealedTree, run_diff: RunDiff) -> None:
    stranger = str(pyrage.x25519.Identity.generate().to_public())
    reports = run_diff(lambda tree: sealed.sops(tree, "rotate", "--in-place", "--add-age", stranger, SECRETS))
    assert reports.file["readers_added"] == [{"kind": "age", "key": stranger, "person": None}]
    assert f"can now be read by age {stranger}\n" in reports.text


def test_an_older_version_of_a_file_is_rolled_back(sealed: SealedTree, run_diff: RunDiff) -> None:
    def later(tree: Path) -> None:
        set_to(sealed, "db.password", "quokka-two-2")(tree)
        file = tree / SECRETS
        # The time stamp of sops has a resolution of a second, and less has passed.
        year = file.read_text().partition('lastmodified: "')[2][:4]
        file.write_text(file.read_text().replace(f'lastmodified: "{year}', f'lastmodified: "{int(year) + 1}'))

    reports = run_diff(lambda tree: shutil.copy(sealed.folder / "tree" / SECRETS, tree / SECRETS), later)
    assert reports.file["rolled_back"]
    assert reports.keys == ["db.password changed"]
    assert "    rolled back: it is older than what it replaces\n    db.password changed, line 2\n" in reports.text


def test_secrets_that_come_and_go(sealed: SealedTree, run_diff: RunDiff) -> None:
    def edit(tree: Path) -> None:
        set_to(sealed, "db.reader", "quokka-new-1")(tree)
        sealed.sops(tree, "unset", SECRETS, '["mail"]')

    reports = run_diff(edit)
    assert sorted(reports.keys) == ["db.reader added", "mail.token removed"]
    assert reports.changes == {}
    assert "    db.reader added, line 4\n" in reports.text
    assert "    mail.token removed, line 5\n" in reports.text


def test_a_secret_that_moves_to_the_file_of_another_layer(sealed: SealedTree, run_diff: RunDiff) -> None:
    def edit(tree: Path) -> None:
        (tree / OTHER).write_text(json.dumps({"db": {"password": "quokka-production-1"}}))
        sealed.sops(tree, "encrypt", "--in-place", OTHER)

    reports = run_diff(edit)
    assert (reports.file["path"], reports.file["kind"], reports.keys) == (OTHER, "added", ["db.password added"])
    assert reports.file["copied_from"] is None
    assert [reader["person"] for reader in reports.file["readers_added"]] == ["dana", "miguel"]
    assert reports.changes == {"env_vars.PASSWORD": False, "env_vars.URL": False, "secrets.PASSWORD": False}
    assert all(change["bundles"] == IDS[:1] for change in reports.data["changes"])
    # The change of the variable is implied.
    assert (
        f"""\
{OTHER}:2 (added)
  ~ env_vars.URL: its secret changes
  ~ secrets.PASSWORD: {SECRETS}#db.password → {OTHER}#db.password
    default/a@production
"""
        in reports.text
    )
    assert f"+ {OTHER}\n    can be read by dana with age " in reports.text


def test_a_file_that_was_copied(sealed: SealedTree, run_diff: RunDiff) -> None:
    def edit(tree: Path) -> None:
        shutil.copy(tree / SECRETS, tree / OTHER)
        sealed.sops(tree, "unset", OTHER, '["mail"]')

    reports = run_diff(edit)
    assert (reports.file["path"], reports.file["copied_from"], reports.file["moved"]) == (OTHER, SECRETS, False)
    # Values that are the same as in the source file are not listed.
    assert reports.keys == ["mail.token removed"]
    assert f"+ {OTHER}\n    copied from {SECRETS}\n" in reports.text
    assert f"- **+** `{OTHER}`\n  - copied from `{SECRETS}`\n" in reports.markdown


def test_a_file_that_was_moved(sealed: SealedTree, run_diff: RunDiff) -> None:
    reports = run_diff(lambda tree: (tree / SECRETS).rename(tree / "agents/a.secrets.yaml"))
    moved, removed = reports.data["secrets"]
    assert (moved["copied_from"], moved["moved"], moved["keys"]) == (SECRETS, True, [])
    assert (removed["path"], removed["kind"]) == (SECRETS, "removed")
    assert f"+ agents/a.secrets.yaml\n    moved from {SECRETS}\n" in reports.text
    assert reports.changes["env_vars.PASSWORD"] is False


def test_a_file_in_the_clear_is_told_without_its_values(sealed: SealedTree, run_diff: RunDiff) -> None:
    reports = run_diff(lambda tree: (tree / SECRETS).write_text("db: {password: quokka-plain-1}\n"), code=1)
    assert (reports.file["kind"], reports.keys, reports.data["not_compared"]) == ("changed", [], IDS)
    assert f"~ {SECRETS}\n" in reports.text
