"""Secrets for PGP keys, with the real sops and the real gpg: changed, rotated, and merged."""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.command_line import CommandResult
from tests.support.secrets_tree import FILES, PRODUCTION, SEARCH_PATH, SecretsTree, make_secrets_tree


class Gpg:
    """A separate keyring with some secret keys."""

    def __init__(self, *names: str) -> None:
        # A Unix socket limits the length of the path.
        self.environ = {"GNUPGHOME": tempfile.mkdtemp(prefix="gpg"), "PATH": SEARCH_PATH}
        self.keys = {name: self._make(name) for name in names}

    def _make(self, name: str) -> str:
        self._run("--batch", "--passphrase", "", "--quick-generate-key", f"{name}@x.example", "future-default", "-")
        shown = self._run("--list-keys", "--with-colons", f"{name}@x.example")
        return next(line.split(":")[9] for line in shown.splitlines() if line.startswith("fpr"))

    def _run(self, *arguments: str) -> str:
        command = ["gpg", *arguments]
        return subprocess.run(command, env=self.environ, check=True, capture_output=True, text=True).stdout

    def close(self) -> None:
        subprocess.run(["gpgconf", "--kill", "all"], env=self.environ, check=False)
        shutil.rmtree(self.environ["GNUPGHOME"], ignore_errors=True)


@pytest.fixture(scope="module")
def gpg() -> Iterator[Gpg]:
    gpg_home = Gpg("ana", "bob")
    yield gpg_home
    gpg_home.close()


def organization(gpg: Gpg, *readers: str) -> str:
    people = {name: {"pgp": key} for name, key in gpg.keys.items()}
    return FILES["organization.yaml"] + f"people: {json.dumps(people)}\nsecret_readers: {json.dumps(list(readers))}\n"


def test_set_rotate_and_merge(tmp_path: Path, gpg: Gpg) -> None:
    tree = make_secrets_tree(tmp_path, readers=False, files={"organization.yaml": organization(gpg, "ana")})

    def run(*arguments: str, stdin_input: str = "") -> CommandResult:
        return tree.run("secrets", *arguments, stdin_input=stdin_input, environ=gpg.environ)

    assert run("set", PRODUCTION, "token", stdin_input="first-token").err.endswith("for ana\n")
    assert run("set", PRODUCTION, "token", stdin_input="other-token").code == 0
    assert recipients(tree) == {gpg.keys["ana"]}
    (tree.root / "organization.yaml").write_text(organization(gpg, "ana", "bob"))
    assert run("rotate").out == f"{PRODUCTION}: new data key for 2 readers; added bob\n"
    assert recipients(tree) == set(gpg.keys.values())
    (tree.root / "organization.yaml").write_text(organization(gpg, "ana"))
    assert run("rotate").out == f"{PRODUCTION}: new data key for 1 reader; removed bob\n"

    tree.git("init", "-q", "-b", "main", ".")
    assert run("install", "--write").code == 0
    tree.commit()
    for branch in ("theirs", "ours"):
        tree.git("checkout", "-q", "-b", branch, "main")
        assert run("set", PRODUCTION, branch, stdin_input=f"{branch}-value").code == 0
        tree.commit()
    environ = {**tree.environ, **gpg.environ}
    merge = ["git", "merge", "-q", "-m", "merged", "theirs"]
    subprocess.run(merge, cwd=tree.root, env=environ, check=True, capture_output=True)
    decrypt = ["sops", "decrypt", "--output-type", "json", f"./{PRODUCTION}"]
    shown = subprocess.run(decrypt, cwd=tree.root, env=environ, check=True, capture_output=True)
    assert json.loads(shown.stdout) == {
        "_scope": "environments/production",
        "token": "other-token",
        "theirs": "theirs-value",
        "ours": "ours-value",
    }


def recipients(tree: SecretsTree) -> set[str]:
    return {line.split()[-1] for line in tree.read(PRODUCTION).splitlines() if "fp:" in line}


def test_a_reader_whose_public_key_gpg_does_not_have(tmp_path: Path, gpg: Gpg) -> None:
    text = organization(gpg, "ana").replace(gpg.keys["ana"], "0" * 40)
    tree = make_secrets_tree(tmp_path, readers=False, files={"organization.yaml": text})
    ran = tree.run("secrets", "set", PRODUCTION, "token", stdin_input="first-token", environ=gpg.environ)
    assert ran.code == 3
    assert "gpg needs the public key" in ran.err
    assert not (tree.root / PRODUCTION).exists()
