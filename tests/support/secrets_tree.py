"""A tree with secrets files of the real sops, and runners of envtree, sops and git over it."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import pyrage

from envtree.cli import invoke
from tests.support.command_line import CommandResult, write_files

ROOT = Path(__file__).parents[2]
SEARCH_PATH = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
PRODUCTION = "environments/production.secrets.yaml"
STAGING = "environments/staging.secrets.json"
FILES = {
    "organization.yaml": "name: acme\nedition: 2026\ndefault_model: m/m\n",
    "environments/production.yaml": "{}\n",
    "environments/staging.yaml": "{}\n",
    "agents/clerk.yaml": "{}\n",
}


class Person(NamedTuple):
    """A person with an age key in a file."""

    name: str
    public: str
    file: Path


def make_person(name: str, folder: Path) -> Person:
    """Make a person with a new age key."""
    identity = pyrage.x25519.Identity.generate()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.key").write_text(f"{identity}\n")
    return Person(name, str(identity.to_public()), folder / f"{name}.key")


def organization_with_people(*people: Person, readers: tuple[str, ...] | None = None) -> str:
    """Return an organization.yaml that declares people, and by default all of them as readers."""
    declared = {person.name: {"age": person.public} for person in people}
    names = list(declared) if readers is None else list(readers)
    return FILES["organization.yaml"] + f"people: {json.dumps(declared)}\nsecret_readers: {json.dumps(names)}\n"


class SecretsTree(NamedTuple):
    """A tree in a folder of its own, with a place for keys and temporary files beside it."""

    root: Path
    owner: Person

    @property
    def environ(self) -> dict[str, str]:
        """The environment of a process that works with this tree."""
        return {
            "PATH": SEARCH_PATH,
            "PYTHONPATH": str(ROOT / "compiler"),
            "SOPS_AGE_KEY_FILE": str(self.owner.file),
            "SOPS_DISABLE_VERSION_CHECK": "1",
            "HOME": str(self.home),
            "TMPDIR": str(self.home),
            "LC_ALL": "C.UTF-8",
            "GIT_CONFIG_NOSYSTEM": "1",
            **{
                f"GIT_{role}_{field}": "x@example.com"
                for role in ("AUTHOR", "COMMITTER")
                for field in ("NAME", "EMAIL")
            },
        }

    @property
    def home(self) -> Path:
        return self.root.parent / "home"

    def run(
        self, *arguments: str, stdin_input: str | bytes = b"", environ: Mapping[str, str] | None = None
    ) -> CommandResult:
        """Run a command line in this process."""
        data = stdin_input.encode() if isinstance(stdin_input, str) else stdin_input
        stdin = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8")
        out, err = _Stream(), _Stream()
        variables = {**self.environ, **(environ or {})}
        with (
            mock.patch.object(sys, "stdin", stdin),
            mock.patch.object(sys, "stdout", out),
            mock.patch.object(sys, "stderr", err),
            mock.patch.dict(os.environ, variables, clear=True),
        ):
            code = invoke(["-C", str(self.root), *arguments])
            out.flush()
            err.flush()
        return CommandResult(code, out.text, err.text)

    def set(self, path: str, key: str, value: Any) -> CommandResult:
        """Set a value of any type, and check that this succeeds."""
        ran = self.run("secrets", "set", path, key, "--json", stdin_input=json.dumps(value))
        assert ran.code == 0, ran
        return ran

    def sops(self, *arguments: str, stdin_input: str | None = None) -> str:
        """Run the real sops, without envtree."""
        command = ["sops", *arguments]
        result = subprocess.run(
            command, cwd=self.root, env=self.environ, input=stdin_input, capture_output=True, text=True, check=False
        )
        assert result.returncode == 0, result
        return result.stdout

    def plain(self, path: str) -> Any:
        """Decrypt a file with the real sops."""
        return json.loads(self.sops("decrypt", "--output-type", "json", f"./{path}"))

    def read(self, path: str) -> str:
        return (self.root / path).read_text()

    def git(self, *arguments: str, code: int = 0) -> str:
        """Run git as a user would, without the hardening of envtree; return both output streams."""
        result = subprocess.run(
            ["git", *arguments], cwd=self.root, env=self.environ, capture_output=True, text=True, check=False
        )
        assert result.returncode == code, result
        return result.stdout + result.stderr

    def commit(self, message: str = "x") -> None:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)


class _Stream(io.TextIOWrapper):
    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", write_through=True)

    @property
    def text(self) -> str:
        assert isinstance(self.buffer, io.BytesIO)
        return self.buffer.getvalue().decode()


def make_secrets_tree(folder: Path, *, readers: bool = True, files: Mapping[str, str] | None = None) -> SecretsTree:
    """Make a tree whose only reader is its owner."""
    owner = make_person("me", folder / "keys")
    (folder / "home").mkdir()
    tree = SecretsTree(folder / "tree", owner)
    write_files(
        tree.root,
        {**FILES, **(files or {})} | ({"organization.yaml": organization_with_people(owner)} if readers else {}),
    )
    return tree


def secret_line(text: str, key: str) -> str:
    """Return the only line of a secrets file in YAML, JSON or dotenv that contains a key."""
    (line,) = (line for line in text.splitlines() if line.lstrip().startswith((f"{key}:", f"{key}=", f'"{key}":')))
    return line
