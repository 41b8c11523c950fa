"""The choice of the reader: no process for plain age files, sops for all others."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from envtree.engine.decryption import Decrypter, decrypt_all
from envtree.model.diagnostic import MachineError
from envtree.model.secrets_file import DecryptError, SecretsFile, SecretsPolicy
from envtree.secrets.sops import SopsDecrypter
from envtree.secrets.sops.select_decrypter import select_decrypter
from tests.support.native_files import SEARCH_PATH, ForgedLeaf, SecretsFolder, forge, new_identity, render_block_yaml

ROOT = Path(__file__).parents[2]
PLAIN = {"PASSWORD": ForgedLeaf(b"hunter2", "str"), "PORT": ForgedLeaf(b"5432", "int")}
OPENED = {"PASSWORD": "hunter2", "PORT": 5432}
ALL = SecretsPolicy(frozenset({"age", "age-ssh", "age-plugin", "pgp"}), (), require_scope=False)
AGE = SecretsPolicy(frozenset({"age"}), (), require_scope=False)
STAND_IN = {"PASSWORD": "from the process", "PORT": 1}
LIBRARIES = ("pyrage", "cryptography")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SecretsFolder:
    # The sops that is installed with the tests would come before the one on PATH.
    monkeypatch.setattr("envtree.secrets.sops.environment.find_bundled", lambda *_: None)
    for name in ("tree", "home", "bin"):
        (tmp_path / name).mkdir()
    spy = tmp_path / "bin/sops"
    spy.write_text(f"#!/bin/sh\necho x >> '{tmp_path}/started'\nprintf '%s' '{json.dumps(STAND_IN)}'\n")
    spy.chmod(0o755)
    return SecretsFolder(tmp_path / "tree", new_identity())


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return a function that makes a library unavailable."""

    def remove(library: str) -> None:
        for name in [name for name in sys.modules if name.startswith((library, "envtree.secrets.sops.native"))]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.delitem(sys.modules, "envtree.secrets.sops.identities", raising=False)
        monkeypatch.setitem(sys.modules, library, None)

    return remove


def reader(machine: SecretsFolder, choice: str | None = None, policy: SecretsPolicy = AGE) -> Decrypter:
    """Return the chosen reader of a machine whose sops logs its start."""
    environ = machine.environ | {"PATH": f"{machine.root.parent}/bin:/usr/bin:/bin"}
    return select_decrypter(
        machine.root, policy, environ=environ | ({"ENVTREE_SOPS": choice} if choice is not None else {})
    )


def started(machine: SecretsFolder) -> bool:
    return (machine.root.parent / "started").exists()


def seal(machine: SecretsFolder, data: dict[str, Any], path: str = "x.secrets.json") -> SecretsFile:
    (machine.root / path).write_text(json.dumps(data) if path.endswith("json") else render_block_yaml(data))
    file = machine.read_sealed_file(path)
    assert file
    return file


@pytest.mark.parametrize("choice", [None, "", "auto", "native"])
def test_no_process_starts_for_a_plain_age_file(machine: SecretsFolder, choice: str | None) -> None:
    sealed = seal(machine, forge(PLAIN, [machine.identity.public]))
    assert reader(machine, choice).decrypt(sealed) == OPENED
    assert not started(machine)


def test_a_process_if_it_is_asked_for(machine: SecretsFolder) -> None:
    sealed = seal(machine, forge(PLAIN, [machine.identity.public]))
    assert reader(machine, "process").decrypt(sealed) == STAND_IN
    assert started(machine)


@pytest.mark.parametrize("choice", ["Native", "sops", "0"])
def test_a_choice_that_there_is_not(machine: SecretsFolder, choice: str) -> None:
    with pytest.raises(MachineError, match="ENVTREE_SOPS is not 'auto', 'native', 'process' or 'path'") as caught:
        reader(machine, choice)
    assert caught.value.hint


def pgp_beside(data: dict[str, Any]) -> None:
    data["sops"]["pgp"] = [{"fp": "A" * 40, "enc": "x", "created_at": "2026-11-24T20:40:04Z"}]


def of_ssh(data: dict[str, Any]) -> None:
    data["sops"]["age"].append({"recipient": "ssh-ed25519 AAAA", "enc": "x"})


def of_a_plugin(data: dict[str, Any]) -> None:
    data["sops"]["age"].append({"recipient": "age1yubikey1qqqqqq", "enc": "x"})


def in_groups(data: dict[str, Any]) -> None:
    entries = data["sops"].pop("age")
    data["sops"]["key_groups"] = [{"age": entries}, {"age": entries}]
    data["sops"]["shamir_threshold"] = 1


def in_one_group(data: dict[str, Any]) -> None:
    data["sops"]["key_groups"] = [{"age": data["sops"].pop("age")}]


OTHERS = [pgp_beside, of_ssh, of_a_plugin, in_groups, in_one_group]


@pytest.mark.parametrize("change", OTHERS)
def test_other_keys_are_for_sops(machine: SecretsFolder, change: Callable[[dict[str, Any]], None]) -> None:
    data = forge(PLAIN, [machine.identity.public])
    change(data)
    sealed = seal(machine, data)
    assert reader(machine, policy=ALL).decrypt(sealed) == STAND_IN
    assert started(machine)
    with pytest.raises(MachineError) as caught:
        reader(machine, "native", policy=ALL).decrypt(sealed)
    assert (caught.value.code, "ENVTREE_SOPS" in caught.value.hint) == ("ET621", True)


@pytest.mark.parametrize("policy", [SecretsPolicy(frozenset({"pgp"}), (), require_scope=False)])
def test_keys_that_the_policy_does_not_allow_open_nothing(machine: SecretsFolder, policy: SecretsPolicy) -> None:
    sealed = seal(machine, forge(PLAIN, [machine.identity.public]))
    with pytest.raises(DecryptError) as caught:
        reader(machine, policy=policy).decrypt(sealed)
    assert caught.value.code == "ET604"
    assert not started(machine)


def test_a_file_without_a_key_at_hand_is_for_sops(machine: SecretsFolder) -> None:
    sealed = seal(machine, forge(PLAIN, [machine.identity.public]))
    bare = SecretsFolder(machine.root, machine.identity._replace(private=""))
    assert reader(bare).decrypt(sealed) == STAND_IN


def test_a_file_for_somebody_else_needs_no_process_to_tell(machine: SecretsFolder) -> None:
    sealed = seal(machine, forge(PLAIN, [new_identity().public]))
    with pytest.raises(MachineError, match="no key on this machine opens") as caught:
        reader(machine).decrypt(sealed)
    assert (caught.value.code, bool(caught.value.hint), started(machine)) == ("ET621", True, False)


def test_a_file_that_changes_meanwhile(machine: SecretsFolder) -> None:
    sealed = seal(machine, forge(PLAIN, [machine.identity.public]))
    seal(machine, forge(PLAIN, [machine.identity.public]))
    with pytest.raises(MachineError, match="changed while") as caught:
        reader(machine).decrypt(sealed)
    assert caught.value.code == "ET623"
    (machine.root / sealed.path).unlink()
    with pytest.raises(MachineError, match="changed while"):
        reader(machine).decrypt(sealed)


def test_many_files_by_whoever_can_open_them(machine: SecretsFolder) -> None:
    plain, foreign, broken = (forge(PLAIN, [machine.identity.public]) for _ in range(3))
    pgp_beside(foreign)
    broken["PASSWORD"], broken["sops"]["mac"] = broken["sops"]["mac"], broken["PASSWORD"]
    files = [
        seal(machine, data, f"{name}.secrets.json") for name, data in zip("abc", (plain, foreign, broken), strict=True)
    ]
    outcomes = decrypt_all(reader(machine, policy=ALL), files)
    assert outcomes["a.secrets.json"] == OPENED
    assert outcomes["b.secrets.json"] == STAND_IN
    assert isinstance(outcomes["c.secrets.json"], DecryptError)


@pytest.mark.parametrize("choice", ["auto", "native"])
def test_a_failure_ends_all(machine: SecretsFolder, choice: str) -> None:
    sealed = seal(machine, forge(PLAIN, [new_identity().public]))
    with pytest.raises(MachineError) as caught:
        decrypt_all(reader(machine, choice), [sealed])
    assert (caught.value.code, started(machine)) == ("ET621", False)


# ── without the libraries ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("library", LIBRARIES)
def test_without_the_libraries_sops_opens_everything(
    machine: SecretsFolder, without: Callable[[str], None], library: str
) -> None:
    sealed = seal(machine, forge(PLAIN, [machine.identity.public]))
    without(library)
    assert isinstance(reader(machine), SopsDecrypter)
    assert reader(machine).decrypt(sealed) == STAND_IN
    with pytest.raises(MachineError) as caught:
        reader(machine, "native")
    assert (caught.value.code, "[native]" in caught.value.hint) == ("ET620", True)


BLOCKED = f"import sys\nfor name in {LIBRARIES}: sys.modules[name] = None\nfrom envtree.__main__ import main\nmain()\n"


def compiled(out: Path, *start: str, **environ: str) -> dict[str, bytes]:
    """Compile the example and return the files written, without the manifest."""
    key = ROOT / "examples/acme/age.key"
    machine = {"PATH": SEARCH_PATH, "PYTHONPATH": str(ROOT / "compiler"), "HOME": str(out.parent)}
    command = [sys.executable, *start, "-C", str(ROOT / "examples/acme"), "compile", "-o", str(out)]
    result = subprocess.run(
        command, env=machine | {"SOPS_AGE_KEY_FILE": str(key)} | environ, capture_output=True, text=True, check=False
    )
    assert (result.returncode, "wrote 38 bundles" in result.stderr) == (0, True), result.stderr
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def test_all_works_without_the_libraries_and_gives_the_same_bytes(tmp_path: Path) -> None:
    with_them = compiled(tmp_path / "native", "-m", "envtree", ENVTREE_SOPS="native")
    assert with_them == compiled(tmp_path / "without", "-c", BLOCKED)
    assert with_them == compiled(tmp_path / "process", "-m", "envtree", ENVTREE_SOPS="process")
