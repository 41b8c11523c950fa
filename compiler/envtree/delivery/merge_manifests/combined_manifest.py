"""Check that outputs are parts of one, and combine their manifests; a contradiction names both outputs."""

from collections.abc import Iterable, Sequence
from typing import NoReturn

from envtree.delivery.merge_manifests.output_part import OutputPart
from envtree.model.artifact import Manifest, Receipt
from envtree.model.diagnostic import RefusedError
from envtree.model.manifest_records import ManifestRecord, ManifestRecords

_COMPILE_AGAIN = "compile all parts from one tree with the same options"


def combine_manifests(parts: Sequence[OutputPart]) -> Manifest:
    """Return the manifest of the merged output; RefusedError if two parts contradict each other."""
    first = parts[0].manifest
    for part in parts[1:]:
        _check_settings(parts[0], part)
    for part in parts:
        if part.manifest.whole_tree:
            hint = "leave formats of the whole tree out where parts are compiled"
            _refuse(f"'{part.path}' has files of a whole tree, and so is no part of one", hint)
    bundles = ManifestRecords.from_records(sorted(_combine_bundles(parts).items()))
    return Manifest(first.edition, first.mode, first.inputs, bundles, _combine_receipts(parts))


def _check_settings(first: OutputPart, second: OutputPart) -> None:
    ours, theirs = first.manifest, second.manifest
    if ours.edition != theirs.edition:
        _refuse(f"'{first.path}' is of edition {ours.edition}, and '{second.path}' of {theirs.edition}")
    if ours.mode != theirs.mode:
        _refuse(f"'{first.path}' was compiled with '--secrets {ours.mode}', and '{second.path}' with '{theirs.mode}'")
    for name in sorted(ours.inputs.keys() | theirs.inputs.keys()):
        # The values are not in the message, which may get into a log.
        if ours.inputs.get(name) != theirs.inputs.get(name):
            _refuse(f"'{first.path}' and '{second.path}' were compiled with different values of input '{name}'")


def _combine_bundles(parts: Iterable[OutputPart]) -> dict[str, ManifestRecord]:
    bundles: dict[str, ManifestRecord] = {}
    owners: dict[str, OutputPart] = {}
    for part in parts:
        for id, record in part.manifest.bundles.items():
            # A folder of two bundles would have the files of only one of them.
            for claim in (f"bundle '{id}'", f"the folder '{record.folder}'"):
                if claim in owners:
                    _refuse(f"{claim} is in '{owners[claim].path}' and in '{part.path}'", "name each part once")
                owners[claim] = part
            bundles[id] = record
    return bundles


def _combine_receipts(parts: Sequence[OutputPart]) -> Receipt | None:
    receipts = [(part, part.manifest.receipt) for part in parts if part.manifest.receipt]
    if not receipts:
        return None
    part_without = next((part for part in parts if part.manifest.receipt is None), None)
    first_part, first = receipts[0]
    if part_without:
        _refuse(f"'{first_part.path}' has a receipt, and '{part_without.path}' has none")
    files: dict[str, str] = {}
    sources: dict[str, OutputPart] = {}
    for part, receipt in receipts:
        _check_origin(first_part, first, part, receipt)
        for path, id in receipt.files.items():
            if files.setdefault(path, id) != id:
                _refuse(f"'{sources[path].path}' and '{part.path}' were made from different contents of '{path}'")
            sources.setdefault(path, part)
    clean = None if first.clean is None else all(receipt.clean for _, receipt in receipts)
    return Receipt(first.version, first.commit, clean, first.folder, dict(sorted(files.items())))


def _check_origin(first: OutputPart, ours: Receipt, second: OutputPart, theirs: Receipt) -> None:
    if ours.version != theirs.version:
        _refuse(f"'{first.path}' was made by envtree {ours.version}, and '{second.path}' by {theirs.version}")
    if (ours.commit, ours.folder) != (theirs.commit, theirs.folder):
        _refuse(
            f"'{first.path}' was made from {_describe_origin(ours)}, "
            f"and '{second.path}' from {_describe_origin(theirs)}"
        )


def _describe_origin(receipt: Receipt) -> str:
    folder = f"'{receipt.folder}' at " if receipt.folder else ""
    return f"{folder}commit {receipt.commit}" if receipt.commit else "no commit"


def _refuse(message: str, hint: str = _COMPILE_AGAIN) -> NoReturn:
    raise RefusedError("ET632", message, hint)
