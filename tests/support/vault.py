"""A tree with secrets that the real sops has encrypted, and envtree run over it in a separate process."""

import functools
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support.forked_envtree import run_envtree
from tests.support.real_sops import HEAD, SEARCH_PATH, SopsUser, encrypt_file, make_age_user, people_section

ROOT = Path(__file__).parents[2]
ID = "default/a@dev"
PASSWORD = "quokka7-\"Ünique\"/+&?=$x\\y\nsecond-line-of-the-canary\nthird-line: of 'it'"
NUMBER = 918273645546372819
SECRETS = {"_scope": "organization", "db": {"password": PASSWORD, "pin": NUMBER}, "short": "abc", "flag": True}
AGENT = """\
execution_environment:
  secrets: {PASSWORD: db.password, SHORT: short, FLAG: flag}
  env_vars:
    PLAIN: nothing-secret
    URL: "${{ 'postgres://u:' ~ (secrets.db.password | urlencode) ~ '@h/d' }}"
    PIN: ${{ secrets.db.pin }}
  config: {nested: {list: ["${{ secrets.db.password }}", 1], pin: "${{ secrets.db.pin }}"}}
"""


class Vault(NamedTuple):
    """A tree in a folder, the user who may read its secrets, and a home folder beside it."""

    folder: Path
    reader: SopsUser

    @property
    def root(self) -> Path:
        return self.folder / "tree"

    @property
    def environ(self) -> dict[str, str]:
        """The environment of a process that can decrypt all secrets."""
        home = {"HOME": str(self.folder / "home"), "TMPDIR": str(self.folder / "home")}
        return {"PATH": SEARCH_PATH, "PYTHONPATH": str(ROOT / "compiler"), **home, **self.reader.environ}

    def command(self, *arguments: str) -> list[str]:
        """Return a command line of envtree over this tree."""
        return [sys.executable, "-m", "envtree", "-C", str(self.root), *arguments]

    def envtree(
        self,
        *arguments: str,
        environ: Mapping[str, str | None] | None = None,
        cwd: Path | None = None,
        input: bytes | None = None,
    ) -> subprocess.CompletedProcess[bytes]:
        """Run envtree; variables of `environ` that are None are removed."""
        changed = {**self.environ, **(environ or {})}
        variables = {name: value for name, value in changed.items() if value is not None}
        words = ["-C", str(self.root), *arguments]
        return run_envtree(words, env=variables, cwd=cwd or self.folder, input=input)

    def write(self, files: Mapping[str, str]) -> None:
        """Write files of the tree."""
        for path, text in files.items():
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            (self.root / path).write_text(text)

    def encrypt(self, path: str, data: Any) -> None:
        """Write a secrets file."""
        encrypt_file(self.root, path, json.dumps(data), self.reader.sops_option)

    def compile(self, mode: str, out: str, *more: str) -> Path:
        """Compile the tree, and check that this succeeds."""
        result = self.envtree("compile", "--secrets", mode, "-o", out, *more)
        assert result.returncode == 0, result.stderr
        return self.folder / out


def make_vault(folder: Path) -> Vault:
    """Make a small tree with one agent; its files and the key are the same for all tests of a process."""
    public, files = _vault_files()
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    (folder / "home").mkdir()
    return Vault(folder, SopsUser(public, {"SOPS_AGE_KEY_FILE": str(folder / "keys/key")}))


@functools.cache
def _vault_files() -> tuple[str, dict[str, bytes]]:
    """Return the public key of the reader, and the files, of which the real sops has encrypted one."""
    with tempfile.TemporaryDirectory() as name:
        vault = Vault(Path(name), make_age_user(Path(name, "keys"), "key"))
        vault.write(
            {
                "organization.yaml": HEAD + people_section(ci=vault.reader) + "secret_readers: [ci]\n",
                "environments/dev.yaml": "{}\n",
                "agents/a.yaml": AGENT,
            }
        )
        vault.encrypt("organization.secrets.yaml", SECRETS)
        return vault.reader.public, read_folder(vault.folder)


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return make_vault(tmp_path)


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Vault:
    """A vault that is shared, and that no test may change."""
    return make_vault(tmp_path_factory.mktemp("vault"))


def read_folder(folder: Path) -> dict[str, bytes]:
    """Return the content of every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
