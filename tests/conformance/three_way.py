"""Three versions become one: git merges them line by line, and envtree secrets files key by key, in the same way."""

import random
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from envtree.secrets.edit.three_way import merge_three_way
from tests.conformance.case import Case
from tests.properties.test_three_way import leaves, plain
from tests.support.env_readers import program

MERGES = 300
KEYS = tuple(f"{top}{below}" for top in "abc" for below in "xyz")
# So many lines apart, what is done to one key is not near to what is done to the next.
_APART = 6
Document = dict[str, int]


def three_way_merges() -> Iterator[Case]:
    """Random versions: some keys changed, added or removed on each side."""
    chance = random.Random(3)
    for number in range(MERGES):
        base = {key: chance.randrange(3) for key in KEYS if chance.random() < 0.6}
        sides = [_changed(base, chance) for _ in range(2)]
        found = merge_three_way(*(leaves(version, side) for version, side in zip((base, *sides), "bot", strict=True)))
        mine = {"merged": plain(found.values), "conflicts": sorted(path[0] for path in found.conflicts)}
        theirs = _git(base, *sides)
        # In a conflict git shows both sides, and envtree keeps ours.
        for key in theirs["conflicts"]:
            mine["merged"].pop(key, None)
        yield Case(f"merge {number}", mine, theirs)


def _changed(base: Document, chance: random.Random) -> Document:
    changed = dict(base)
    for key in KEYS:
        kind = chance.randrange(6)
        if kind == 0:
            changed[key] = chance.randrange(3)
        elif kind == 1:
            changed.pop(key, None)
    return changed


def _git(base: Document, ours: Document, theirs: Document) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        files = {name: Path(folder, name) for name in ("ours", "base", "theirs")}
        for name, version in (("ours", ours), ("base", base), ("theirs", theirs)):
            files[name].write_text(_lines(version))
        command = [program("git"), "merge-file", "-p", *map(str, files.values())]
        text = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    merged: Document = {}
    conflicts: set[str] = set()
    key, open_ = "", False
    for line in text.splitlines():
        if line.startswith("# "):
            key = line.split()[1]
        elif line.startswith(("<<<<<<<", ">>>>>>>")):
            open_ = line.startswith("<")
            conflicts.add(key)
        elif line.startswith("value") and not open_:
            merged[key] = int(line.split()[1])
    return {"merged": merged, "conflicts": sorted(conflicts)}


def _lines(version: Document) -> str:
    """A slot for each key, with its value or without."""
    slots = []
    for key in KEYS:
        around = [f"# {key} {number}\n" for number in range(_APART)]
        slots += [*around, *([f"value {version[key]}\n"] if key in version else [])]
    return "".join([*slots, "# end\n"])
