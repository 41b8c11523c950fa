"""An extracted tree is tried until it is right: it compiles, and a plan for it does nothing."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from envtree.controlplane.api.live_state import LiveState
from envtree.controlplane.desired import DesiredResource, ResourceRef
from envtree.controlplane.sync.extract import ExtractedFile, TreeExtractor
from envtree.controlplane.sync.managed_ids import ManagedIds
from envtree.controlplane.sync.plan import make_plan

# Each round leaves at least one object alone; nobody keeps more of them by hand.
_MAX_ROUNDS = 200

_DIFFERENCE_REASON = "the tree would say '{}' of it otherwise"


class CompiledFiles(NamedTuple):
    """What compiling files gave: resources, or what is wrong with files by their paths."""

    desired: tuple[DesiredResource, ...]
    errors_by_path: Mapping[str, str]


class ImportableTree(NamedTuple):
    """A tree that says what is there, its ids, and what it leaves alone, with the reason."""

    files: tuple[ExtractedFile, ...]
    ids: ManagedIds
    skipped: Mapping[ResourceRef, str]


def find_importable_tree(
    live: LiveState, compile_files: Callable[[list[ExtractedFile]], CompiledFiles]
) -> ImportableTree:
    """The largest part of the live state that a tree can say."""
    left: dict[ResourceRef, str] = {}
    for _ in range(_MAX_ROUNDS):
        extract = TreeExtractor(live, left)
        files = extract.files()
        left = extract.skipped
        tried = compile_files(files)
        ids = _collect_ids(files, live)
        found = (
            _refs_with_errors(files, tried.errors_by_path)
            if tried.errors_by_path
            else _refs_with_differences(tried.desired, live, ids)
        )
        if not found:
            return ImportableTree(tuple(files), ids, left)
        left |= found
    raise AssertionError("every round leaves something alone")


def _collect_ids(files: list[ExtractedFile], live: LiveState) -> ManagedIds:
    known = live.ids_by_ref()
    objects = {str(file.ref): known[file.ref] for file in files if file.ref in known}
    return ManagedIds(live.organization, objects, {})


def _refs_with_errors(files: list[ExtractedFile], errors_by_path: Mapping[str, str]) -> dict[ResourceRef, str]:
    """The objects whose files are wrong; where it is none's, an environment or an agent is the likeliest."""
    found = {
        file.ref: errors_by_path[file.path]
        for file in files
        if file.path in errors_by_path and file.ref.kind != "organization"
    }
    if found:
        return found
    others = [file for file in files if file.ref.kind not in ("organization", "environment", "project")]
    return {others[-1].ref: next(iter(errors_by_path.values()))} if others else {}


def _refs_with_differences(
    desired: tuple[DesiredResource, ...], live: LiveState, ids: ManagedIds
) -> dict[ResourceRef, str]:
    found = make_plan(desired, live, ids)
    changed = {
        one.ref: _difference_reason(one.differences[0].field if one.differences else "links") for one in found.changes
    }
    return {ref: why for ref, why in changed.items() if ref.kind != "organization"}


def _difference_reason(field: str) -> str:
    return _DIFFERENCE_REASON.format(field)
