"""The native reader leaves no key and no plaintext behind in memory, files or errors."""

import gc
import json
import os
import subprocess
import sys
import traceback
import types
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyrage
import pytest

from envtree.engine.decryption import decrypt_all
from envtree.model.diagnostic import MachineError
from envtree.model.secrets_file import DecryptError, SecretsFile
from envtree.secrets.sops.identities import load_identities
from tests.support.native_files import (
    SEARCH_PATH,
    ForgedLeaf,
    LeftToSopsError,
    SecretsFolder,
    forge,
    new_identity,
    render_block_yaml,
)
from tests.support.waiting import PATIENCE

ROOT = Path(__file__).parents[2]
CANARY = "quokka-in-the-vault"
PLAIN = {
    "PASSWORD": ForgedLeaf(CANARY.encode(), "str"),
    "l": [ForgedLeaf(CANARY.encode(), "str"), ForgedLeaf(b"4711", "int")],
}


@pytest.fixture
def machine(tmp_path: Path) -> SecretsFolder:
    for name in ("tree", "home"):
        (tmp_path / name).mkdir()
    machine = SecretsFolder(tmp_path / "tree", new_identity())
    (tmp_path / "keys.txt").write_text(machine.identity.private)
    return machine


@pytest.fixture
def data_keys(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Record the unwrapped data keys, which only the test keeps."""
    unwrapped: list[bytes] = []

    def decrypt(wrapped: bytes, keys: list[Any]) -> bytes:
        unwrapped.append(real(wrapped, keys))
        return unwrapped[-1]

    real = pyrage.decrypt
    monkeypatch.setattr(pyrage, "decrypt", decrypt)
    return unwrapped


def environ(machine: SecretsFolder) -> dict[str, str]:
    """Return variables that name a key file: a key in a variable would stay in memory anyway."""
    bare = {name: value for name, value in machine.environ.items() if name != "SOPS_AGE_KEY"}
    return bare | {"SOPS_AGE_KEY_FILE": str(machine.root.parent / "keys.txt")}


def seal(machine: SecretsFolder, data: dict[str, Any]) -> SecretsFile:
    (machine.root / "x.secrets.json").write_text(json.dumps(data))
    file = machine.read_sealed_file("x.secrets.json")
    assert file
    return file


def reachable(start: object) -> Iterator[object]:
    """Yield all objects reachable from an object, except code."""
    seen_ids: set[int] = set()
    waiting = [start]
    while waiting:
        candidate = waiting.pop()
        if id(candidate) not in seen_ids and not isinstance(candidate, (types.ModuleType, type, types.FunctionType)):
            seen_ids.add(id(candidate))
            yield candidate
            waiting += gc.get_referents(candidate)


def list_secrets(machine: SecretsFolder, data_keys: list[bytes]) -> list[str | bytes]:
    """Return all secrets: plaintext, the private key, the data keys."""
    return [CANARY, machine.identity.private, *data_keys]


def find_needles(needles: Sequence[str | bytes], objects: Iterable[object]) -> list[str]:
    """Return the needles that the texts of the objects contain, raw or escaped."""
    texts = [repr(item) for item in objects if not isinstance(item, types.FrameType)]
    raw = [needle if isinstance(needle, str) else repr(needle)[2:-1] for needle in needles]
    return [needle for needle in raw if any(needle in text for text in texts)]


def test_t62_nothing_is_kept_between_files(machine: SecretsFolder, data_keys: list[bytes]) -> None:
    reader = machine.native_decrypter(environ(machine))
    sealed = seal(machine, forge(PLAIN, [machine.identity.public]))
    before = {path: path.stat().st_mtime_ns for path in machine.root.parent.rglob("*")}
    opened = reader.decrypt(sealed)
    needles = list_secrets(machine, data_keys)
    # The search finds them where they are expected.
    assert len(find_needles(needles, [opened, data_keys, machine])) == len(needles) == 3
    assert find_needles(needles, reachable(reader)) == []
    # No file was written, not even a cache.
    assert {path: path.stat().st_mtime_ns for path in machine.root.parent.rglob("*")} == before


def break_mac(data: dict[str, Any]) -> None:
    data["l"].reverse()
    data["l"].pop()


def break_value(data: dict[str, Any]) -> None:
    data["l"][1] = data["PASSWORD"]


def break_lastmodified(data: dict[str, Any]) -> None:
    data["sops"]["lastmodified"] = "2020-01-01T00:00:00Z"


def break_key(data: dict[str, Any]) -> None:
    data["sops"]["age"][0]["enc"] = forge(PLAIN, [new_identity().public])["sops"]["age"][0]["enc"]


def mistype(data: dict[str, Any]) -> None:
    """Make the reader leave the file to sops after it has decrypted the value."""
    data["PASSWORD"] = data["PASSWORD"].replace("type:str", "type:int")


BROKEN = {break_mac: "ET610", break_lastmodified: "ET610", break_value: "ET611", break_key: "ET621"}


@pytest.mark.parametrize(("change", "code"), BROKEN.items())
def test_t63_no_error_carries_what_was_read(
    machine: SecretsFolder, data_keys: list[bytes], change: Callable[[dict[str, Any]], None], code: str
) -> None:
    data = forge(PLAIN, [machine.identity.public])
    change(data)
    sealed = seal(machine, data)
    with pytest.raises((DecryptError, MachineError)) as caught:
        machine.native_decrypter(environ(machine)).decrypt(sealed)
    error = caught.value
    assert isinstance(error, DecryptError | MachineError)
    assert error.code == code
    assert (error.__cause__, error.__context__) == (None, None)
    needles = list_secrets(machine, data_keys)
    assert len(needles) == (2 if change is break_key else 3)
    assert find_needles(needles, [error, vars(error)]) == []
    assert find_needles(needles, (item for local in locals_of(error) for item in reachable(local))) == []


def locals_of(error: BaseException) -> list[object]:
    """Return the locals of all frames, which an error reporter may print, except those of the test."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)][1:]
    assert frames
    return [local for frame in frames for local in frame.f_locals.values()]


def test_t63_what_is_left_to_sops_is_left_without_a_trace(machine: SecretsFolder, data_keys: list[bytes]) -> None:
    data = forge(PLAIN, [machine.identity.public])
    mistype(data)
    sealed = seal(machine, data)
    with pytest.raises(LeftToSopsError) as caught:
        machine.native_decrypter(environ(machine)).decrypt(sealed)
    assert len(data_keys) == 1
    assert caught.value.__context__ is None
    needles = list_secrets(machine, data_keys)
    assert find_needles(needles, (item for local in locals_of(caught.value) for item in reachable(local))) == []


def test_t63_an_error_of_many_files_carries_no_more(machine: SecretsFolder, data_keys: list[bytes]) -> None:
    data = forge(PLAIN, [machine.identity.public])
    break_mac(data)
    error = decrypt_all(machine.native_decrypter(environ(machine)), [seal(machine, data)])["x.secrets.json"]
    assert isinstance(error, DecryptError)
    assert find_needles(list_secrets(machine, data_keys), reachable(error)) == []


CRASH = """
import sys
from envtree.cli import main
from envtree.secrets.sops import {module} as module

def crash(*arguments, **keywords):
    plain = "{canary}"
    raise {kind}(plain, *map(str, arguments))

module.{name} = crash
main()
"""
FUNCTIONS = [
    *(("native", name) for name in ("parse_typed_value", "parse_standard_file", "load_identities", "_decrypt_text")),
    *(("native", name) for name in ("_unwrap_data_key", "_decode_armor")),
    ("standard_file", "parse_ciphertext"),
    *(("identities", name) for name in ("_parse_identities", "_read_key_file")),
]


@pytest.mark.parametrize("kind", ["RuntimeError", "ValueError"])
@pytest.mark.parametrize(("module", "name"), FUNCTIONS)
def test_t63_a_crash_with_plaintext_in_its_hands_is_one_line(
    machine: SecretsFolder, module: str, name: str, kind: str
) -> None:
    tree = {
        "organization.yaml": "name: acme\nedition: 2026\ndefault_model: m\n",
        "environments/production.yaml": "description: all\n",
        "projects/p/project.yaml": "key: PP\n",
        "projects/p/teams/t/team.yaml": "description: a team\n",
        "projects/p/teams/t/agents/a.yaml": "description: a bot\nexecution_environment: {secrets: [PASSWORD]}\n",
        "organization.secrets.yaml": render_block_yaml(
            forge({"PASSWORD": PLAIN["PASSWORD"]}, [machine.identity.public])
        ),
    }
    for path, text in tree.items():
        (machine.root / path).parent.mkdir(parents=True, exist_ok=True)
        (machine.root / path).write_text(text)
    script = CRASH.format(module=module, name=name, kind=kind, canary=CANARY)
    out = machine.root.parent / "out"
    command = [sys.executable, "-c", script, "-C", str(machine.root), "compile", "-o", str(out)]
    env = environ(machine) | {"PYTHONPATH": str(ROOT / "compiler"), "PATH": SEARCH_PATH}
    result = subprocess.run(command, env=env, capture_output=True, timeout=PATIENCE, check=False)
    assert (result.returncode, result.stdout, result.stderr.count(b"\n")) == (70, b"", 1), result
    assert CANARY.encode() not in result.stderr
    assert not out.exists()


def test_the_reader_shows_nothing(machine: SecretsFolder) -> None:
    reader = machine.native_decrypter()
    assert machine.identity.private not in repr(reader)
    assert machine.identity.private not in f"{reader} {load_identities(machine.environ)!r}"
    assert os.fspath(machine.root) not in repr(reader)
