"""Find an extracted tree that compiles and whose plan is empty, by skipping objects that prevent it."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from envtree.controlplane.api.live_state import LiveState
from envtree.controlplane.desired import DesiredResource, ResourceRef
from envtree.controlplane.sync.extract import ExtractedFile, TreeExtractor
from envtree.controlplane.sync.managed_ids import ManagedIds
from envtree.controlplane.sync.plan import make_plan

# Each round skips at least one object; far fewer than this are ever skipped.
_MAX_ROUNDS = 200

_DIFFERENCE_REASON = "the tree would say '{}' of it otherwise"


class CompiledFiles(NamedTuple):
    """The result of compiling files: resources, or error messages by file path."""

    desired: tuple[DesiredResource, ...]
    errors_by_path: Mapping[str, str]


class ImportableTree(NamedTuple):
    """A tree that reproduces the live state, its ids, and the skipped objects with the reason."""

    files: tuple[ExtractedFile, ...]
    ids: ManagedIds
    skipped: Mapping[ResourceRef, str]


def find_importable_tree(
    live: LiveState, compile_files: Callable[[list[ExtractedFile]], CompiledFiles]
) -> ImportableTree:
    """Return the largest part of the live state that a tree can express."""
    skipped: dict[ResourceRef, str] = {}
    for _ in range(_MAX_ROUNDS):
        extractor = TreeExtractor(live, skipped)
        files = extractor.files()
        skipped = extractor.skipped
        compiled = compile_files(files)
        ids = _collect_ids(files, live)
        rejected = (
            _refs_with_errors(files, compiled.errors_by_path)
            if compiled.errors_by_path
            else _refs_with_differences(compiled.desired, live, ids)
        )
        if not rejected:
            return ImportableTree(tuple(files), ids, skipped)
        skipped |= rejected
    raise AssertionError("every round skips an object")


def _collect_ids(files: list[ExtractedFile], live: LiveState) -> ManagedIds:
    ids = live.ids_by_ref()
    objects = {str(file.ref): ids[file.ref] for file in files if file.ref in ids}
    return ManagedIds(live.organization, objects, {})


def _refs_with_errors(files: list[ExtractedFile], errors_by_path: Mapping[str, str]) -> dict[ResourceRef, str]:
    """Return the objects whose files have errors; if no such object can be skipped, the last agent, job or the like."""
    rejected = {
        file.ref: errors_by_path[file.path]
        for file in files
        if file.path in errors_by_path and file.ref.kind != "organization"
    }
    if rejected:
        return rejected
    candidates = [file for file in files if file.ref.kind not in ("organization", "environment", "project")]
    return {candidates[-1].ref: next(iter(errors_by_path.values()))} if candidates else {}


def _refs_with_differences(
    desired: tuple[DesiredResource, ...], live: LiveState, ids: ManagedIds
) -> dict[ResourceRef, str]:
    plan = make_plan(desired, live, ids)
    changed = {
        change.ref: _difference_reason(change.differences[0].field if change.differences else "links")
        for change in plan.changes
    }
    return {ref: reason for ref, reason in changed.items() if ref.kind != "organization"}


def _difference_reason(field: str) -> str:
    return _DIFFERENCE_REASON.format(field)
