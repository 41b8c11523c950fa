"""The keys that the native reader finds, compared with the real sops, and the cases that it leaves to sops."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pyrage
import pytest

from envtree.model.secrets_file import SecretsFile
from tests.support.native_files import (
    LEFT_TO_SOPS,
    ForgedLeaf,
    Identity,
    SecretsFolder,
    decrypt_outcome,
    forge,
    new_identity,
)

PLAIN = {"PASSWORD": ForgedLeaf(b"hunter2", "str"), "PORT": ForgedLeaf(b"5432", "int")}
OTHER = new_identity()


@pytest.fixture
def machine(tmp_path: Path) -> SecretsFolder:
    for name in ("tree", "home"):
        (tmp_path / name).mkdir()
    return SecretsFolder(tmp_path / "tree", new_identity())


@pytest.fixture
def sealed(machine: SecretsFolder) -> SecretsFile:
    (machine.root / "x.secrets.json").write_text(json.dumps(forge(PLAIN, [machine.identity.public])))
    file = machine.read_sealed_file("x.secrets.json")
    assert file
    return file


class Setting:
    """A folder for key files, and the identity in them."""

    def __init__(self, folder: Path, identity: Identity) -> None:
        self.folder, self.identity = folder, identity

    def file(self, name: str, text: str | bytes) -> str:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return str(path)

    def beside(self, name: str, text: str, **environ: str) -> dict[str, str]:
        """Write a file into the home folder, and return variables that do not name it."""
        self.file(f"home/{name}", text)
        return environ

    def keys(self, *more: str) -> str:
        return "\n".join([f"# public key: {self.identity.public}", self.identity.private, "", *more])


def ssh_key() -> str:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()


def circle(path: Path) -> Path:
    path.symlink_to(path)
    return path


CONFIG = "Library/Application Support" if sys.platform == "darwin" else ".config"
DEFAULT = f"{CONFIG}/sops/age/keys.txt"

# Settings in which sops and the native reader find the right key.
RIGHT: dict[str, Callable[[Setting], dict[str, str]]] = {
    "variable": lambda at: {"SOPS_AGE_KEY": at.identity.private},
    "variable-of-lines": lambda at: {"SOPS_AGE_KEY": at.keys(OTHER.private)},
    "file": lambda at: {"SOPS_AGE_KEY_FILE": at.file("k", at.keys())},
    "file-of-another-system": lambda at: {"SOPS_AGE_KEY_FILE": at.file("k", at.keys().replace("\n", "\r\n"))},
    "file-of-several": lambda at: {"SOPS_AGE_KEY_FILE": at.file("k", f"{OTHER.private}\n{at.keys()}")},
    "both-and-the-variable-is-wrong": lambda at: {
        "SOPS_AGE_KEY": OTHER.private,
        "SOPS_AGE_KEY_FILE": at.file("k", at.keys()),
    },
    "both-and-the-file-is-wrong": lambda at: {
        "SOPS_AGE_KEY": at.identity.private,
        "SOPS_AGE_KEY_FILE": at.file("k", OTHER.private),
    },
    "default": lambda at: at.beside(DEFAULT, at.keys()),
    "default-and-a-wrong-variable": lambda at: at.beside(DEFAULT, at.keys(), SOPS_AGE_KEY=OTHER.private),
    "configuration-elsewhere": lambda at: {
        "XDG_CONFIG_HOME": str(Path(at.file("elsewhere/sops/age/keys.txt", at.keys())).parents[2])
    },
}
# Settings in which both find only wrong keys.
WRONG: dict[str, Callable[[Setting], dict[str, str]]] = {
    "variable": lambda at: {"SOPS_AGE_KEY": OTHER.private},
    "default": lambda at: at.beside(DEFAULT, OTHER.private),
    "variable-beside-an-ssh-key": lambda at: at.beside(".ssh/id_ed25519", ssh_key(), SOPS_AGE_KEY=OTHER.private),
}
# Settings that are left to sops.
UNSURE: dict[str, Callable[[Setting], dict[str, str]]] = {
    "nothing": lambda at: {},
    "empty-variable": lambda at: {"SOPS_AGE_KEY": ""},
    "command": lambda at: {"SOPS_AGE_KEY": at.identity.private, "SOPS_AGE_KEY_CMD": "true"},
    "command-with-the-key": lambda at: {"SOPS_AGE_KEY_CMD": f"cat {at.file('k', at.keys())}"},
    "no-file": lambda at: {"SOPS_AGE_KEY_FILE": "/nowhere", "SOPS_AGE_KEY": at.identity.private},
    "no-file-name": lambda at: {"SOPS_AGE_KEY_FILE": "", "SOPS_AGE_KEY": at.identity.private},
    "empty-file": lambda at: {"SOPS_AGE_KEY_FILE": at.file("k", "# nothing\n")},
    "folder": lambda at: {"SOPS_AGE_KEY_FILE": str(at.folder), "SOPS_AGE_KEY": at.identity.private},
    "no-text": lambda at: {"SOPS_AGE_KEY_FILE": at.file("k", b"\xff\xfe"), "SOPS_AGE_KEY": at.identity.private},
    "another-line": lambda at: {"SOPS_AGE_KEY_FILE": at.file("k", at.keys("what is this"))},
    "blanks": lambda at: {"SOPS_AGE_KEY": f" {at.identity.private}"},
    "small-letters": lambda at: {"SOPS_AGE_KEY": at.identity.private.lower()},
    "a-slip": lambda at: {"SOPS_AGE_KEY": at.identity.private[:-1] + ("Q" if at.identity.private[-1] != "Q" else "P")},
    "plugin": lambda at: {"SOPS_AGE_KEY_FILE": at.file("k", at.keys("AGE-PLUGIN-YUBIKEY-1QQQQQQQQQQQQQQ"))},
    "ssh-only": lambda at: at.beside(".ssh/id_ed25519", ssh_key()),
    "passphrase": lambda at: {
        "SOPS_AGE_KEY_FILE": at.file("k", pyrage.passphrase.encrypt(at.keys().encode(), "pw", armored=True))
    },
    "passphrase-and-a-key": lambda at: {
        "SOPS_AGE_KEY_FILE": at.file("k", pyrage.passphrase.encrypt(at.keys().encode(), "pw")),
        "SOPS_AGE_KEY": at.identity.private,
    },
    "malformed-default": lambda at: at.beside(DEFAULT, "what is this\n", SOPS_AGE_KEY=at.identity.private),
    "links-in-a-circle": lambda at: {
        "SOPS_AGE_KEY_FILE": str(circle(at.folder / "k")),
        "SOPS_AGE_KEY": at.identity.private,
    },
    "home-is-a-file": lambda at: {"SOPS_AGE_KEY": at.identity.private, "HOME": at.file("h", "")},
    "huge": lambda at: {"SOPS_AGE_KEY_FILE": at.file("k", at.keys() + "#" * (1 << 20))},
}


def key_environment(machine: SecretsFolder, variables: dict[str, str]) -> dict[str, str]:
    """Return the environment of the machine without its key, with other variables."""
    bare = {name: value for name, value in machine.environ.items() if name != "SOPS_AGE_KEY"}
    return bare | variables


@pytest.mark.parametrize(
    ("setting", "opens"),
    [*((setting, True) for setting in RIGHT.values()), *((setting, False) for setting in WRONG.values())],
    ids=[*RIGHT, *(f"wrong-{name}" for name in WRONG)],
)
def test_keys_are_found_where_sops_finds_them(
    machine: SecretsFolder, sealed: SecretsFile, setting: Callable[[Setting], dict[str, str]], opens: bool
) -> None:
    environ = key_environment(machine, setting(Setting(machine.root.parent, machine.identity)))
    native = decrypt_outcome(machine.native_decrypter(environ), sealed)
    assert native == decrypt_outcome(machine.sops_decrypter(environ), sealed)
    assert native.startswith("{" if opens else "ET621")


@pytest.mark.parametrize("setting", UNSURE.values(), ids=UNSURE)
def test_other_keys_are_left_to_sops(
    machine: SecretsFolder, sealed: SecretsFile, setting: Callable[[Setting], dict[str, str]]
) -> None:
    environ = key_environment(machine, setting(Setting(machine.root.parent, machine.identity)))
    assert decrypt_outcome(machine.native_decrypter(environ), sealed) == LEFT_TO_SOPS


def test_a_pipe_is_read_by_whoever_reads_it_once(machine: SecretsFolder, sealed: SecretsFile, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    environ = key_environment(
        machine, {"SOPS_AGE_KEY_FILE": str(tmp_path / "pipe"), "SOPS_AGE_KEY": machine.identity.private}
    )
    assert decrypt_outcome(machine.native_decrypter(environ), sealed) == LEFT_TO_SOPS


@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_the_default_file_is_where_each_system_keeps_it(
    machine: SecretsFolder, sealed: SecretsFile, platform: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    folder = "Library/Application Support" if platform == "darwin" else ".config"
    Setting(machine.root.parent, machine.identity).file(f"home/{folder}/sops/age/keys.txt", machine.identity.private)
    assert decrypt_outcome(machine.native_decrypter(key_environment(machine, {})), sealed).startswith("{")
    without_a_home = {name: value for name, value in key_environment(machine, {}).items() if name != "HOME"}
    assert decrypt_outcome(machine.native_decrypter(without_a_home), sealed) == LEFT_TO_SOPS


def test_a_relative_key_file_is_meant_from_where_the_user_stands(
    machine: SecretsFolder, sealed: SecretsFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path(Setting(machine.root.parent, machine.identity).file("k", machine.identity.private))
    monkeypatch.chdir(path.parent)
    assert decrypt_outcome(
        machine.native_decrypter(key_environment(machine, {"SOPS_AGE_KEY_FILE": "k"})), sealed
    ).startswith("{")


def test_a_key_that_is_put_elsewhere_is_not_remembered(
    machine: SecretsFolder, sealed: SecretsFile, tmp_path: Path
) -> None:
    path = Path(Setting(tmp_path, machine.identity).file("k", machine.identity.private))
    reader = machine.native_decrypter(key_environment(machine, {"SOPS_AGE_KEY_FILE": str(path)}))
    assert decrypt_outcome(reader, sealed).startswith("{")
    path.write_text(OTHER.private)
    assert decrypt_outcome(reader, sealed) == "ET621"
    path.unlink()
    assert decrypt_outcome(reader, sealed) == LEFT_TO_SOPS
