"""Three-way merges: envtree merges secrets files by key with the same result as git merging text by line."""

import random
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from envtree.secrets.edit.three_way import merge_three_way
from tests.conformance.case import Case
from tests.properties.test_three_way import leaves, plain
from tests.support.programs import program

MERGES = 300
KEYS = tuple(f"{first}{second}" for first in "abc" for second in "xyz")
# The number of lines between keys, so that git does not treat changes of two keys as adjacent.
_SEPARATION = 6
Document = dict[str, int]


def three_way_merges() -> Iterator[Case]:
    """Yield random versions with some keys changed, added or removed on each side."""
    rng = random.Random(3)
    for number in range(MERGES):
        base = {key: rng.randrange(3) for key in KEYS if rng.random() < 0.6}
        sides = [_change(base, rng) for _ in range(2)]
        merge = merge_three_way(*(leaves(version, side) for version, side in zip((base, *sides), "bot", strict=True)))
        result = {"merged": plain(merge.values), "conflicts": sorted(path[0] for path in merge.conflicts)}
        git_result = _merge_with_git(base, *sides)
        # In a conflict, git shows both sides, and envtree keeps ours.
        for key in git_result["conflicts"]:
            result["merged"].pop(key, None)
        yield Case(f"merge {number}", result, git_result)


def _change(base: Document, rng: random.Random) -> Document:
    changed = dict(base)
    for key in KEYS:
        kind = rng.randrange(6)
        if kind == 0:
            changed[key] = rng.randrange(3)
        elif kind == 1:
            changed.pop(key, None)
    return changed


def _merge_with_git(base: Document, ours: Document, theirs: Document) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        files = {name: Path(folder, name) for name in ("ours", "base", "theirs")}
        for name, version in (("ours", ours), ("base", base), ("theirs", theirs)):
            files[name].write_text(_lines(version))
        command = [program("git"), "merge-file", "-p", *map(str, files.values())]
        text = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    merged: Document = {}
    conflicts: set[str] = set()
    key, in_conflict = "", False
    for line in text.splitlines():
        if line.startswith("# "):
            key = line.split()[1]
        elif line.startswith(("<<<<<<<", ">>>>>>>")):
            in_conflict = line.startswith("<")
            conflicts.add(key)
        elif line.startswith("value") and not in_conflict:
            merged[key] = int(line.split()[1])
    return {"merged": merged, "conflicts": sorted(conflicts)}


def _lines(version: Document) -> str:
    """Return a text with a slot for each key, with or without a value."""
    slots = []
    for key in KEYS:
        padding = [f"# {key} {number}\n" for number in range(_SEPARATION)]
        slots += [*padding, *([f"value {version[key]}\n"] if key in version else [])]
    return "".join([*slots, "# end\n"])
