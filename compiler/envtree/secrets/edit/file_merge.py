"""Merge three versions of a SOPS file with the real sops: by key, without encrypting unchanged values again.

The MAC covers the values in their order. So sops applies the changes to the file of one side, which gives a new MAC;
then each new ciphertext is replaced by that of the side the value comes from, and comments are merged by line.
"""

from collections.abc import Container, Iterable, Iterator
from concurrent.futures import Future
from typing import NamedTuple

from envtree.engine.decryption import verify_plaintext
from envtree.frontend.link.declared_readers import normalize_public_key
from envtree.model.diagnostic import NoKeyError
from envtree.model.keypath import KeyPath, format_path
from envtree.model.secrets_file import DecryptError, printable_key
from envtree.secrets.edit.recipients import (
    RecipientComparison,
    RecipientId,
    compare_recipients,
    is_single_personal_group,
    recipient_ids,
    to_recipient_keys,
)
from envtree.secrets.edit.sops_document import SopsDocument, UnreadableError, read_sops_document
from envtree.secrets.edit.sops_edits import plan_sops_edits
from envtree.secrets.edit.sops_values import UNKNOWN, SopsValues, ciphertext, collect_values, is_same_value
from envtree.secrets.edit.splice import (
    Comments,
    extract_comments,
    replace_comments,
    replace_types,
    transplant_ciphertexts,
)
from envtree.secrets.edit.three_way import ThreeWayMerge, merge_three_way
from envtree.secrets.sops.writer import SopsWriter, is_addressable
from envtree.system.thread_pool import thread_pool


class MergeOutcome(NamedTuple):
    """The merged file, the conflicts by key, and the recipients that were removed without a new data key.

    At a key in conflict the file has the value of our side.
    """

    data: bytes
    conflicts: dict[KeyPath, str]
    removed: tuple[str, ...]


class CannotMergeError(Exception):
    """The versions cannot be merged at all; the message is the reason."""


def merge_files(
    base: SopsDocument | None, ours: SopsDocument, theirs: SopsDocument, writer: SopsWriter, people: Container[str]
) -> MergeOutcome:
    """Merge three versions by key; `people` contains the public keys that are declared in the organization.

    A recipient that is not on both sides must be a key in `people`: without any key one can still write a recipient
    into a file, and sops would wrap the data key for it. Raises CannotMergeError where our version has to stay as it
    is, and DecryptError or MachineError from sops.
    """
    versions = _decrypt_versions(base, ours, theirs, writer)
    merged = merge_three_way(*versions)
    comparison = compare_recipients(base, ours, theirs)
    if comparison.recipients != recipient_ids(comparison.target):
        if not (is_single_personal_group(ours) and is_single_personal_group(theirs)):
            raise CannotMergeError("both sides have changed the recipients, and they are not all people in one group")
        _check_added_recipients(comparison.recipients - (recipient_ids(ours) & recipient_ids(theirs)), people)
    _, our_values, their_values = versions
    present = our_values if comparison.target is ours else their_values
    edited = _apply_merge(merged, present, comparison.target, writer)
    from_theirs = {path for path, leaf in merged.values.items() if our_values.get(path) is not leaf}
    result = _restore_ciphertexts(edited, merged, from_theirs, (base, ours, theirs), comparison, writer)
    before = recipient_ids(comparison.target)
    if comparison.recipients != before:
        result = _update_keys(result, comparison, writer)
    return MergeOutcome(
        result.data,
        merged.conflicts,
        tuple(sorted(printable_key(kind, value) for kind, value, _ in before - comparison.recipients)),
    )


def _check_added_recipients(recipients: Iterable[RecipientId], people: Container[str]) -> None:
    for kind, value, _ in sorted(recipients):
        if normalize_public_key(value) not in people:
            why = f"it would be handed to {printable_key(kind, value)}, whose key is nobody's under 'people'"
            raise CannotMergeError(f"{why}: declare it in organization.yaml first, or take it out")


def _decrypt_versions(
    base: SopsDocument | None, ours: SopsDocument, theirs: SopsDocument, writer: SopsWriter
) -> tuple[SopsValues, SopsValues, SopsValues]:
    """Return the values of all three; those of the base are UNKNOWN to a reader who was added after it."""
    with thread_pool(writer.program.stop, 3) as pool:
        base_future = pool.submit(_decrypt_values, base, writer) if base else None
        our_future, their_future = (pool.submit(_decrypt_values, side, writer) for side in (ours, theirs))
        return _base_values(base, base_future), our_future.result(), their_future.result()


def _base_values(base: SopsDocument | None, future: "Future[SopsValues] | None") -> SopsValues:
    if base is None or future is None:
        return {}
    try:
        return future.result()
    except NoKeyError:
        return collect_values(base, UNKNOWN)


def _decrypt_values(document: SopsDocument, writer: SopsWriter) -> SopsValues:
    plain = writer.decrypt(document.file, document.data)
    # `_scope` is merged like any other value, and not compared with the path: a merge may come with a move.
    verify_plaintext(document.file._replace(scope=None), plain)
    return collect_values(document, plain)


def _apply_merge(
    merged: ThreeWayMerge, present: SopsValues, foundation: SopsDocument, writer: SopsWriter
) -> SopsDocument:
    """Return the foundation with the merged values, as sops writes them."""
    plan = plan_sops_edits(present, merged.values)
    unaddressable = next((edit.path for edit in plan.edits if not is_addressable(edit.path)), None)
    if unaddressable:
        raise CannotMergeError(f"sops has no way to write '{format_path(unaddressable)}'")
    if not plan.edits:
        return foundation
    path = foundation.file.path
    edited = read_sops_document(writer.apply_edits(foundation.file, foundation.data, plan.edits), path)
    return read_sops_document(replace_types(edited, plan.types).encode(), path)


def _restore_ciphertexts(
    edited: SopsDocument,
    merged: ThreeWayMerge,
    from_theirs: set[KeyPath],
    versions: tuple[SopsDocument | None, SopsDocument, SopsDocument],
    comparison: RecipientComparison,
    writer: SopsWriter,
) -> SopsDocument:
    """Return the edited file with the ciphertexts and comments of the sides, decrypted by sops and compared."""
    _, ours, theirs = versions
    source = {path: theirs if path in from_theirs else ours for path in merged.values}
    replacements = {
        path: (source[path], leaf.node)
        for path, leaf in merged.values.items()
        if comparison.has_same_data_key or source[path] is comparison.target
    }
    for candidate in _candidate_texts(transplant_ciphertexts(edited, replacements), versions, comparison):
        try:
            result = read_sops_document(candidate.encode(), ours.file.path)
            decrypted = _decrypt_values(result, writer)
        except (UnreadableError, DecryptError):
            continue
        if decrypted.keys() == merged.values.keys() and all(
            is_same_value(decrypted[path], merged.values[path]) for path in decrypted
        ):
            return result
    raise CannotMergeError("sops does not take the merged file for whole")


def _candidate_texts(
    text: str, versions: tuple[SopsDocument | None, SopsDocument, SopsDocument], comparison: RecipientComparison
) -> Iterator[str]:
    """Yield the text with the comments of both sides, where they share a data key, then the text as it is."""
    base, ours, theirs = versions
    if comparison.has_same_data_key:
        document = read_sops_document(text.encode(), ours.file.path)
        comments = _merged_comments(
            extract_comments(base) if base else {}, extract_comments(ours), extract_comments(theirs)
        )
        yield replace_comments(document, comments)
    yield text


def _merged_comments(base: Comments, ours: Comments, theirs: Comments) -> Comments:
    """Take the comments of theirs where ours are as in the base; a side without a key counts as unchanged."""
    merged = {}
    for path in (*ours, *theirs):
        before = base.get(path, ())
        our_lines, their_lines = ours.get(path, before), theirs.get(path, before)
        merged[path] = their_lines if our_lines == before else our_lines
    return merged


def _update_keys(result: SopsDocument, comparison: RecipientComparison, writer: SopsWriter) -> SopsDocument:
    """Encrypt the data key for the merged recipients; do not decrypt afterwards: this user may be none of them."""
    updated = read_sops_document(
        writer.update_keys(result.file, result.data, to_recipient_keys(comparison.recipients)), result.file.path
    )
    if ciphertext(updated.content) != ciphertext(result.content) or recipient_ids(updated) != comparison.recipients:
        raise CannotMergeError("sops did not give the merged file the merged recipients")
    return updated
