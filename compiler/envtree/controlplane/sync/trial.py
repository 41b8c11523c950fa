"""An extracted tree is tried until it is right: it compiles, and a plan for it does nothing."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from envtree.controlplane.api.reading import Live
from envtree.controlplane.desired import Desired, Ref
from envtree.controlplane.sync.extract import Extract, File
from envtree.controlplane.sync.ids import Ids
from envtree.controlplane.sync.plan import plan

# Each round leaves at least one object alone; nobody keeps more of them by hand.
_ROUNDS = 200

_SAID_OTHERWISE = "the tree would say '{}' of it otherwise"


class Compiled(NamedTuple):
    """What compiling files gave: resources, or what is wrong with files by their paths."""

    desired: tuple[Desired, ...]
    wrong: Mapping[str, str]


class Imported(NamedTuple):
    """A tree that says what is there, its ids, and what it leaves alone, with the reason."""

    files: tuple[File, ...]
    ids: Ids
    left: Mapping[Ref, str]


def trial(live: Live, compiled: Callable[[list[File]], Compiled]) -> Imported:
    """The largest part of the live state that a tree can say."""
    left: dict[Ref, str] = {}
    for _ in range(_ROUNDS):
        extract = Extract(live, left)
        files = extract.files()
        left = extract.left
        tried = compiled(files)
        ids = _ids(files, live)
        found = _wrong(files, tried.wrong) if tried.wrong else _differing(tried.desired, live, ids)
        if not found:
            return Imported(tuple(files), ids, left)
        left |= found
    raise AssertionError("every round leaves something alone")


def _ids(files: list[File], live: Live) -> Ids:
    known = live.ids()
    objects = {str(file.ref): known[file.ref] for file in files if file.ref in known}
    return Ids(live.organization, objects, {})


def _wrong(files: list[File], wrong: Mapping[str, str]) -> dict[Ref, str]:
    """The objects whose files are wrong; where it is none's, an environment or an agent is the likeliest."""
    found = {file.ref: wrong[file.path] for file in files if file.path in wrong and file.ref.kind != "organization"}
    if found:
        return found
    others = [file for file in files if file.ref.kind not in ("organization", "environment", "project")]
    return {others[-1].ref: next(iter(wrong.values()))} if others else {}


def _differing(desired: tuple[Desired, ...], live: Live, ids: Ids) -> dict[Ref, str]:
    found = plan(desired, live, ids)
    changed = {one.ref: _what(one.differences[0].field if one.differences else "links") for one in found.changes}
    return {ref: why for ref, why in changed.items() if ref.kind != "organization"}


def _what(field: str) -> str:
    return _SAID_OTHERWISE.format(field)
