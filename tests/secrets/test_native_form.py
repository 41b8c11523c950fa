"""What the native reader leaves to sops: every file that does not stand as sops writes it."""

import json
import os
from pathlib import Path

import pytest

from tests.support.native_files import LEFT, Forged, Machine, block_yaml, dotenv, forge, new_identity, outcome, wrap


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    (tmp_path / "tree").mkdir()
    return Machine(tmp_path / "tree", new_identity())


PLAIN = {"A": Forged(b"one", "str"), "l": [Forged(b"x", "str"), Forged(b"y", "str")], "m": {"k": Forged(b"z", "str")}}
# Old text, new text, whether sops opens it, for a file in block style.
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
    machine: Machine, old: str, new: str, opens: bool | None
) -> None:
    text = block_yaml(forge(PLAIN, [machine.mine.public]))
    assert old in text
    changed = text.replace(old, new) if old == "\n" else text.replace(old, new, 1)
    (machine.root / "x.secrets.yaml").write_bytes(changed.encode())
    sealed = machine.seal("x.secrets.yaml")
    if sealed is None:
        # The stages refuse it already.
        assert not opens or old == "\n", "what sops opens should come as far as the reader"
        return
    assert outcome(machine.native(), sealed) == LEFT
    assert opens is None or outcome(machine.process(), sealed).startswith("ET") != opens


def test_json_that_only_yaml_allows_is_left_to_sops(machine: Machine) -> None:
    text = json.dumps(forge(PLAIN, [machine.mine.public]))
    for changed in (f"{text} # a comment", text.replace('"A"', "A"), text.replace('"A"', "'A'")):
        (machine.root / "x.secrets.json").write_text(changed)
        sealed = machine.seal("x.secrets.json")
        if sealed is not None:
            assert outcome(machine.native(), sealed) == LEFT
            assert outcome(machine.process(), sealed).startswith("ET")


@pytest.mark.parametrize("line", ["sops_pgp__list_0__map_fp=\n", "sops_age__list_00__map_enc=x\n", "sops_kms=\n"])
def test_dotenv_metadata_that_sops_does_not_write_is_left_to_sops(machine: Machine, line: str) -> None:
    text = dotenv(forge({"A": Forged(b"one", "str")}, [machine.mine.public]))
    (machine.root / "x.secrets.env").write_text(text)
    usual = machine.seal("x.secrets.env")
    assert usual
    assert outcome(machine.native(), usual) == outcome(machine.process(), usual) != LEFT
    (machine.root / "x.secrets.env").write_text(text + line)
    sealed = machine.seal("x.secrets.env")
    assert sealed is None or outcome(machine.native(), sealed) == LEFT


# ── whose key ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_recipients_that_are_not_who_they_say(machine: Machine) -> None:
    """Some versions of sops try each key on each entry, others believe the name; nothing depends on which it is."""
    mine, other = machine.mine.public, new_identity().public
    key = os.urandom(32)
    for name, for_whom, native_says in (
        ("mine", [(mine, wrap(key, mine))], "ET611"),
        ("lying", [(other, wrap(key, mine))], LEFT),
        ("lying-first", [(other, wrap(key, mine)), None], LEFT),
        ("another-first", [(other, wrap(key, other)), None], ""),
        ("broken-first", [(other, wrap(key, other).replace("Y", "Z")), None], LEFT),
        ("wrong-key-first", [(mine, wrap(key, mine)), None], "ET611"),
        ("another-only", [(other, wrap(key, other))], "ET621"),
    ):
        data = forge(PLAIN, [mine])
        right = data["sops"]["age"][0]
        listed = [right if one is None else {"recipient": one[0], "enc": one[1]} for one in for_whom]
        data["sops"]["age"] = listed
        (machine.root / "x.secrets.json").write_text(json.dumps(data))
        sealed = machine.seal("x.secrets.json")
        assert sealed, name
        native, sops = outcome(machine.native(), sealed), outcome(machine.process(), sealed)
        assert native in (sops, LEFT), name
        assert native.startswith(native_says), name
