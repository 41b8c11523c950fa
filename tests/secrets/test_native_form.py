"""The native reader leaves every file to sops that is not in the form in which sops writes it."""

import json
import os
from pathlib import Path

import pytest

from tests.support.native_files import (
    LEFT_TO_SOPS,
    ForgedLeaf,
    SecretsFolder,
    decrypt_outcome,
    forge,
    new_identity,
    render_block_yaml,
    render_dotenv,
    wrap_data_key,
)


@pytest.fixture
def machine(tmp_path: Path) -> SecretsFolder:
    (tmp_path / "tree").mkdir()
    return SecretsFolder(tmp_path / "tree", new_identity())


PLAIN = {
    "A": ForgedLeaf(b"one", "str"),
    "l": [ForgedLeaf(b"x", "str"), ForgedLeaf(b"y", "str")],
    "m": {"k": ForgedLeaf(b"z", "str")},
}
# For a file in block style: old text, new text, and whether sops opens it; None is for either.
UNUSUAL = {
    "anchor": ("A: ", "A: &a ", True),
    "tag": ("A: ", "A: !!str ", True),
    "alias": ("A: ENC", "B: &a {}\nA: ENC", None),
    "braces": ("m:\n    k: ", "m: {k: ", None),
    "merge": ("m:\n    k: ", "m:\n    <<:\n        k: ", False),
    "quoted-word": ("A: ", '"true": ', False),
    "number-as-a-key": ("A: ", '"1": ', False),
    "plain-date-as-a-key": ("A: ", "2026-11-24: ", False),
    "escape-in-a-key": ("A: ", '"\\x41": ', True),
    "key-behind-a-question-mark": ("A: ", "? A\n: ", True),
    "document-start": ("A: ", "---\nA: ", True),
    "document-end": ("    version: 3.11.0\n", "    version: 3.11.0\n...\n", True),
    "comment-with-a-value": ("    - ENC", "    #ENC", None),
    "carriage-returns": ("\n", "\r\n", True),
    "empty-comment": ("    - ", "    #\n    - ", None),
    "version": ("version: 3.11.0", "version: 3.11.0-rc1", True),
    "no-version": ("    version: 3.11.0\n", "", False),
    "odd-version": ("version: 3.11.0", 'version: "3.11"', False),
    "time-zone": ("20:40:04Z", "20:40:04+00:00", True),
    "fraction": ("20:40:04Z", "20:40:04.5Z", True),
    "empty-suffix": ("    version:", '    unencrypted_suffix: ""\n    version:', True),
    "threshold": ("    version:", "    shamir_threshold: 1\n    version:", True),
    "covers-all": ("    version:", "    mac_only_encrypted: false\n    version:", True),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new", "opens"), UNUSUAL.values(), ids=UNUSUAL)
def test_what_does_not_stand_as_sops_writes_it_is_left_to_sops(
    machine: SecretsFolder, old: str, new: str, opens: bool | None
) -> None:
    text = render_block_yaml(forge(PLAIN, [machine.identity.public]))
    assert old in text
    changed = text.replace(old, new) if old == "\n" else text.replace(old, new, 1)
    (machine.root / "x.secrets.yaml").write_bytes(changed.encode())
    sealed = machine.read_sealed_file("x.secrets.yaml")
    if sealed is None:
        # The stages have refused it.
        assert not opens or old == "\n", "what sops opens should come as far as the reader"
        return
    assert decrypt_outcome(machine.native_decrypter(), sealed) == LEFT_TO_SOPS
    assert opens is None or decrypt_outcome(machine.sops_decrypter(), sealed).startswith("ET") != opens


def test_json_that_only_yaml_allows_is_left_to_sops(machine: SecretsFolder) -> None:
    text = json.dumps(forge(PLAIN, [machine.identity.public]))
    for changed in (f"{text} # a comment", text.replace('"A"', "A"), text.replace('"A"', "'A'")):
        (machine.root / "x.secrets.json").write_text(changed)
        sealed = machine.read_sealed_file("x.secrets.json")
        if sealed is not None:
            assert decrypt_outcome(machine.native_decrypter(), sealed) == LEFT_TO_SOPS
            assert decrypt_outcome(machine.sops_decrypter(), sealed).startswith("ET")


@pytest.mark.parametrize("line", ["sops_pgp__list_0__map_fp=\n", "sops_age__list_00__map_enc=x\n", "sops_kms=\n"])
def test_dotenv_metadata_that_sops_does_not_write_is_left_to_sops(machine: SecretsFolder, line: str) -> None:
    text = render_dotenv(forge({"A": ForgedLeaf(b"one", "str")}, [machine.identity.public]))
    (machine.root / "x.secrets.env").write_text(text)
    usual = machine.read_sealed_file("x.secrets.env")
    assert usual
    assert (
        decrypt_outcome(machine.native_decrypter(), usual)
        == decrypt_outcome(machine.sops_decrypter(), usual)
        != LEFT_TO_SOPS
    )
    (machine.root / "x.secrets.env").write_text(text + line)
    sealed = machine.read_sealed_file("x.secrets.env")
    assert sealed is None or decrypt_outcome(machine.native_decrypter(), sealed) == LEFT_TO_SOPS


# ── whose key ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_recipients_that_are_not_who_they_say(machine: SecretsFolder) -> None:
    """Some versions of sops try each key on each entry, others trust the name; the outcome is the same."""
    own, foreign = machine.identity.public, new_identity().public
    key = os.urandom(32)
    for name, entries, expected in (
        ("mine", [(own, wrap_data_key(key, own))], "ET611"),
        ("lying", [(foreign, wrap_data_key(key, own))], LEFT_TO_SOPS),
        ("lying-first", [(foreign, wrap_data_key(key, own)), None], LEFT_TO_SOPS),
        ("another-first", [(foreign, wrap_data_key(key, foreign)), None], ""),
        ("broken-first", [(foreign, wrap_data_key(key, foreign).replace("Y", "Z")), None], LEFT_TO_SOPS),
        ("wrong-key-first", [(own, wrap_data_key(key, own)), None], "ET611"),
        ("another-only", [(foreign, wrap_data_key(key, foreign))], "ET621"),
    ):
        data = forge(PLAIN, [own])
        own_entry = data["sops"]["age"][0]
        listed = [own_entry if entry is None else {"recipient": entry[0], "enc": entry[1]} for entry in entries]
        data["sops"]["age"] = listed
        (machine.root / "x.secrets.json").write_text(json.dumps(data))
        sealed = machine.read_sealed_file("x.secrets.json")
        assert sealed, name
        native, sops = (
            decrypt_outcome(machine.native_decrypter(), sealed),
            decrypt_outcome(machine.sops_decrypter(), sealed),
        )
        assert native in (sops, LEFT_TO_SOPS), name
        assert native.startswith(expected), name
