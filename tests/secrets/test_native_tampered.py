"""The native reader refuses files that the real sops refuses, each with one change made without sops."""

import json
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from envtree.model.secrets_file import SecretsFile
from tests.support.native_files import (
    LEFT_TO_SOPS,
    TOKEN,
    ForgedLeaf,
    SecretsFolder,
    compare_decrypters,
    forge,
    new_identity,
    random_forged,
    render_block_yaml,
    render_dotenv,
    wrap_data_key,
)

OTHER = new_identity()
BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
TYPES = ("str", "int", "float", "bool", "bytes", "time", "comment")


@pytest.fixture
def machine(tmp_path: Path) -> SecretsFolder:
    (tmp_path / "tree").mkdir()
    return SecretsFolder(tmp_path / "tree", new_identity())


class Draft:
    """A file before it is written: a tree with the `sops` map, to be tampered with."""

    def __init__(self, rng: random.Random, data: dict[str, Any], recipient: str) -> None:
        self.rng, self.data, self.recipient = rng, data, recipient

    @property
    def metadata(self) -> dict[str, Any]:
        metadata: dict[str, Any] = self.data["sops"]
        return metadata

    def leaves(self) -> list[tuple[Any, Any]]:
        """Return every leaf outside the `sops` map, as a container and a key or index."""
        return list(_walk_leaves({name: child for name, child in self.data.items() if name != "sops"}, self.data))

    def random_leaf(self) -> tuple[Any, Any]:
        return self.rng.choice(self.leaves())

    def change(self, container: Any, key: Any, part: str) -> None:
        """Change one character in a part of an encrypted text."""
        text = container[key]
        start, end = re.search(rf"{part}:([^,\]]+)", text).span(1)  # type: ignore[union-attr]
        at = self.rng.randrange(start, end)
        container[key] = text[:at] + self.rng.choice(BASE64.replace(text[at], "")) + text[at + 1 :]


def _walk_leaves(node: Any, container: Any) -> Iterator[tuple[Any, Any]]:
    for key, child in node.items() if isinstance(node, dict) else enumerate(node):
        if isinstance(child, (dict, list)):
            yield from _walk_leaves(child, child)
        else:
            yield container, key


Tampering = Callable[[Draft], None]


def change_data(draft: Draft) -> None:
    draft.change(*draft.random_leaf(), "data")


def change_iv(draft: Draft) -> None:
    draft.change(*draft.random_leaf(), "iv")


def change_tag(draft: Draft) -> None:
    draft.change(*draft.random_leaf(), "tag")


def change_type(draft: Draft) -> None:
    container, key = draft.random_leaf()
    container[key] = re.sub(r"type:\w+", f"type:{draft.rng.choice(TYPES)}", container[key])


def change_mac(draft: Draft) -> None:
    draft.change(draft.metadata, "mac", draft.rng.choice(("data", "iv", "tag")))


def change_mac_type(draft: Draft) -> None:
    draft.metadata["mac"] = draft.metadata["mac"].replace("type:str", "type:int")


def mac_of_a_value(draft: Draft) -> None:
    container, key = draft.random_leaf()
    draft.metadata["mac"] = container[key]


def change_lastmodified(draft: Draft) -> None:
    text = draft.metadata["lastmodified"]
    at = draft.rng.choice([match.start() for match in re.finditer(r"\d", text)])
    draft.metadata["lastmodified"] = text[:at] + str(draft.rng.randrange(10)) + text[at + 1 :]


def change_enc(draft: Draft) -> None:
    entry = draft.rng.choice(draft.metadata["age"])
    at = draft.rng.randrange(len(entry["enc"]))
    char = draft.rng.choice(BASE64 if entry["enc"][at] in BASE64 else "-= \n")
    entry["enc"] = entry["enc"][:at] + char + entry["enc"][at + 1 :]


def swap_encs(draft: Draft) -> None:
    entries = draft.metadata["age"]
    encs = [entry["enc"] for entry in entries]
    draft.rng.shuffle(encs)
    for entry, enc in zip(entries, encs, strict=True):
        entry["enc"] = enc


def replace_recipient(draft: Draft) -> None:
    draft.rng.choice(draft.metadata["age"])["recipient"] = OTHER.public


def wrap_another_key(draft: Draft) -> None:
    entry = draft.rng.choice(draft.metadata["age"])
    entry["enc"] = wrap_data_key(draft.rng.randbytes(draft.rng.choice((16, 32, 32, 33))), entry["recipient"])


def remove_recipient(draft: Draft) -> None:
    draft.metadata["age"].pop(draft.rng.randrange(len(draft.metadata["age"])))


def swap_values(draft: Draft) -> None:
    first, second = draft.random_leaf(), draft.random_leaf()
    first[0][first[1]], second[0][second[1]] = second[0][second[1]], first[0][first[1]]


def copy_value(draft: Draft) -> None:
    first, second = draft.random_leaf(), draft.random_leaf()
    first[0][first[1]] = second[0][second[1]]


def move_value(draft: Draft) -> None:
    container, key = draft.random_leaf()
    text = container.pop(key)
    draft.data["moved"] = text


def rename_key(draft: Draft) -> None:
    name = draft.rng.choice([name for name in draft.data if name != "sops"])
    draft.data["renamed"] = draft.data.pop(name)


def delete_value(draft: Draft) -> None:
    container, key = draft.random_leaf()
    del container[key]


def add_value(draft: Draft) -> None:
    container, key = draft.random_leaf()
    if isinstance(container, list):
        container.insert(draft.rng.randint(0, len(container)), container[key])
    else:
        container["added"] = container[key]


def reorder(draft: Draft) -> None:
    container, _ = draft.random_leaf()
    if isinstance(container, list):
        draft.rng.shuffle(container)
    else:
        items = list(container.items())
        draft.rng.shuffle(items)
        container.clear()
        container.update(items)


def nest(draft: Draft) -> None:
    """Put a value into a list: AES-GCM authenticates the path without indexes, so it still decrypts."""
    container, key = draft.random_leaf()
    container[key] = draft.rng.choice(([container[key]], [[container[key]]], {"k": container[key]}))


def flatten(draft: Draft) -> None:
    """Replace a list with its first item."""
    lists = [name for name, child in draft.data.items() if isinstance(child, list)]
    if lists:
        name = draft.rng.choice(lists)
        draft.data[name] = draft.data[name][0]


def older_values(draft: Draft) -> None:
    """Insert a value of another version of the file, which had another data key."""
    container, key = draft.random_leaf()
    older = forge({"x": ForgedLeaf(b"x", "str")}, [draft.recipient])
    container[key] = older["x"]


def change_version(draft: Draft) -> None:
    draft.metadata["version"] = draft.rng.choice(("3.7.0", "99.0.0", "3.9", "v3.9.0", "3.11.0-x", "latest"))


def change_nothing(draft: Draft) -> None:
    """Leave the file unchanged."""


TAMPERINGS: list[Tampering] = [
    *(change_data, change_iv, change_tag, change_type, change_mac, change_mac_type, mac_of_a_value),
    *(change_lastmodified, change_enc, swap_encs, replace_recipient, wrap_another_key, remove_recipient),
    *(swap_values, copy_value, move_value, rename_key, delete_value, add_value, reorder, nest, flatten, older_values),
    *(change_version, change_nothing),
]


def comment_out(rng: random.Random, text: str) -> str:
    """Turn a line with a value into a comment, which sops may still decrypt."""
    lines = text.splitlines(keepends=True)
    at = rng.choice([number for number, line in enumerate(lines) if TOKEN.search(line)])
    token = TOKEN.search(lines[at])
    assert token
    kind = token[0] if rng.random() < 0.5 else re.sub(r"type:\w+", "type:comment", token[0])
    indent = re.match(" *", lines[at])
    assert indent
    lines[at] = rng.choice((f"{indent[0]}#{kind}\n", f"{indent[0]}# {kind}\n", f"{indent[0]}#\n"))
    return "".join(lines)


def swap_lines(rng: random.Random, text: str) -> str:
    lines = text.splitlines(keepends=True)
    first, second = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[first], lines[second] = lines[second], lines[first]
    return "".join(lines)


def truncate(rng: random.Random, text: str) -> str:
    return text[: rng.randrange(len(text))]


def drop_line(rng: random.Random, text: str) -> str:
    lines = text.splitlines(keepends=True)
    lines.pop(rng.randrange(len(lines)))
    return "".join(lines)


def change_byte(rng: random.Random, text: str) -> str:
    at = rng.randrange(len(text))
    return text[:at] + rng.choice(" \n#-:'\"&*!|>x0=") + text[at + 1 :]


TEXT_TAMPERINGS = (comment_out, comment_out, swap_lines, truncate, drop_line, change_byte)


def tampered(machine: SecretsFolder, seed: int, count: int) -> Iterator[SecretsFile]:
    """Yield tampered files that the stages before the reader accept."""
    number = accepted = 0
    while accepted < count:
        number += 1
        rng = random.Random(f"{seed}-{number}")
        format = rng.choice(("yaml", "yaml", "json", "env"))
        people = rng.choice(([machine.identity.public], [OTHER.public, machine.identity.public]))
        draft = Draft(rng, forge(_tree(rng, format), people), machine.identity.public)
        on_text = rng.random() < 0.25
        if not on_text:
            TAMPERINGS[number % len(TAMPERINGS)](draft)
        text = _text(draft.data, format)
        if on_text:
            text = rng.choice(TEXT_TAMPERINGS)(rng, text)
        path = f"t{number}.secrets.{format}"
        (machine.root / path).write_text(text, "utf-8")
        sealed = machine.read_sealed_file(path)
        if sealed is not None:
            accepted += 1
            yield sealed


def _tree(rng: random.Random, format: str) -> Any:
    if format == "env":
        return {
            f"A{number}": ForgedLeaf(rng.choice((b"one", b"two", b"x")), "str") for number in range(rng.randint(1, 5))
        }
    same = [ForgedLeaf(b"same", "str") for _ in range(rng.randint(1, 3))]
    return random_forged(rng, 2) | {"l": same, "m": [ForgedLeaf(b"1", "int"), {"k": ForgedLeaf(b"2", "int")}]}


def _text(data: dict[str, Any], format: str) -> str:
    if format == "json":
        return json.dumps(data, indent=1)
    return render_dotenv(data) if format == "env" else render_block_yaml(data)


def agree(machine: SecretsFolder, seed: int, count: int) -> Counter[str]:
    counts: Counter[str] = Counter()
    for sealed, native, sops in compare_decrypters(machine, tampered(machine, seed, count)):
        text = (machine.root / sealed.path).read_text()
        assert native in (sops, LEFT_TO_SOPS), (sealed.path, text)
        counts["left" if native == LEFT_TO_SOPS else native if native.startswith("ET") else "opened"] += 1
        if native == LEFT_TO_SOPS:
            counts["left and opened" if not sops.startswith("ET") else "left and refused"] += 1
    return counts


def test_tampered_files(machine: SecretsFolder) -> None:
    counts = agree(machine, 1, 70)
    assert all(counts[code] for code in ("ET610", "ET611", "ET621", "opened", "left")), counts


@pytest.mark.full
@pytest.mark.parametrize("part", range(2))
def test_hundreds_of_tampered_files(machine: SecretsFolder, part: int) -> None:
    counts = agree(machine, 10 + part, 300)
    print(part, dict(counts))
    refused = counts["ET610"] + counts["ET611"] + counts["ET621"]
    assert refused + counts["opened"] + counts["left"] == 300
    assert refused > 150
