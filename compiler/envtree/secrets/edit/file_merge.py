"""Three versions of a SOPS file become one, with the real sops: values are merged by key, and ciphertexts stay.

The MAC covers the values in their order. So sops makes each change on the file of one side, which gives a new MAC; then
the new ciphertexts are replaced by those of the side that the values are from, and the comments are merged by line.
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
    """The merged file, the keys in conflict, with ours in the file, and who has lost access without a new data key."""

    data: bytes
    conflicts: dict[KeyPath, str]
    removed: tuple[str, ...]


class CannotMergeError(Exception):
    """The versions cannot be merged at all, and why."""


def merge_files(
    base: SopsDocument | None, ours: SopsDocument, theirs: SopsDocument, writer: SopsWriter, people: Container[str]
) -> MergeOutcome:
    """Merge by key; CannotMergeError where ours has to stay as it is, DecryptError or Failure from sops.

    Nobody gets the file who is no recipient on both sides, and whose key is none of `people`: whoever has no key can
    still write a recipient into a file, and sops would wrap the data key for it.
    """
    opened = _decrypt_versions(base, ours, theirs, writer)
    merged = merge_three_way(*opened)
    on = compare_recipients(base, ours, theirs)
    if on.recipients != recipient_ids(on.target):
        if not (is_single_personal_group(ours) and is_single_personal_group(theirs)):
            raise CannotMergeError("both sides have changed the recipients, and they are not all people in one group")
        _check_added_recipients(on.recipients - (recipient_ids(ours) & recipient_ids(theirs)), people)
    present = opened[1] if on.target is ours else opened[2]
    changed = _apply_merge(merged, present, on.target, writer)
    from_theirs = {path for path, leaf in merged.values.items() if opened[1].get(path) is not leaf}
    result = _restore_ciphertexts(changed, merged, from_theirs, (base, ours, theirs), on, writer)
    before = recipient_ids(on.target)
    if on.recipients != before:
        result = _update_keys(result, on, writer)
    return MergeOutcome(
        result.data,
        merged.conflicts,
        tuple(sorted(printable_key(kind, value) for kind, value, _ in before - on.recipients)),
    )


def _check_added_recipients(openers: Iterable[RecipientId], people: Container[str]) -> None:
    for kind, value, _ in sorted(openers):
        if normalize_public_key(value) not in people:
            why = f"it would be handed to {printable_key(kind, value)}, whose key is nobody's under 'people'"
            raise CannotMergeError(f"{why}: declare it in organization.yaml first, or take it out")


def _decrypt_versions(
    base: SopsDocument | None, ours: SopsDocument, theirs: SopsDocument, writer: SopsWriter
) -> tuple[SopsValues, SopsValues, SopsValues]:
    """The values of all three; those of the base may stay unknown, for who came later cannot open it."""
    with thread_pool(writer.program.stop, 3) as pool:
        before = pool.submit(_decrypt_values, base, writer) if base else None
        here, there = (pool.submit(_decrypt_values, side, writer) for side in (ours, theirs))
        return _base_values(base, before), here.result(), there.result()


def _base_values(base: SopsDocument | None, future: "Future[SopsValues] | None") -> SopsValues:
    if base is None or future is None:
        return {}
    try:
        return future.result()
    except NoKeyError:
        return collect_values(base, UNKNOWN)


def _decrypt_values(sealed: SopsDocument, writer: SopsWriter) -> SopsValues:
    plain = writer.decrypt(sealed.file, sealed.data)
    # Where the file belongs is a value like any other here: a merge may come with a move.
    verify_plaintext(sealed.file._replace(scope=None), plain)
    return collect_values(sealed, plain)


def _apply_merge(
    merged: ThreeWayMerge, present: SopsValues, foundation: SopsDocument, writer: SopsWriter
) -> SopsDocument:
    """The foundation with the merged values, as sops writes them."""
    todo = plan_sops_edits(present, merged.values)
    lost = next((step.path for step in todo.edits if not is_addressable(step.path)), None)
    if lost:
        raise CannotMergeError(f"sops has no way to write '{format_path(lost)}'")
    if not todo.edits:
        return foundation
    path = foundation.file.path
    changed = read_sops_document(writer.apply_edits(foundation.file, foundation.data, todo.edits), path)
    return read_sops_document(replace_types(changed, todo.types).encode(), path)


def _restore_ciphertexts(
    edited: SopsDocument,
    merged: ThreeWayMerge,
    from_theirs: set[KeyPath],
    versions: tuple[SopsDocument | None, SopsDocument, SopsDocument],
    comparison: RecipientComparison,
    writer: SopsWriter,
) -> SopsDocument:
    """The merged file with the ciphertexts and the comments of the sides, checked by sops and compared."""
    _, ours, theirs = versions
    source = {path: theirs if path in from_theirs else ours for path in merged.values}
    values = {
        path: (source[path], leaf.node)
        for path, leaf in merged.values.items()
        if comparison.has_same_data_key or source[path] is comparison.target
    }
    for candidate in _candidate_texts(transplant_ciphertexts(edited, values), versions, comparison):
        try:
            result = read_sops_document(candidate.encode(), ours.file.path)
            found = _decrypt_values(result, writer)
        except (UnreadableError, DecryptError):
            continue
        if found.keys() == merged.values.keys() and all(
            is_same_value(found[path], merged.values[path]) for path in found
        ):
            return result
    raise CannotMergeError("sops does not take the merged file for whole")


def _candidate_texts(
    text: str, versions: tuple[SopsDocument | None, SopsDocument, SopsDocument], comparison: RecipientComparison
) -> Iterator[str]:
    """With the comments of both sides where they can be read in the result, and as it is."""
    base, ours, theirs = versions
    if comparison.has_same_data_key:
        plainly = read_sops_document(text.encode(), ours.file.path)
        wanted = _merged_comments(
            extract_comments(base) if base else {}, extract_comments(ours), extract_comments(theirs)
        )
        yield replace_comments(plainly, wanted)
    yield text


def _merged_comments(base: Comments, ours: Comments, theirs: Comments) -> Comments:
    """What only theirs has changed is theirs; a key that a side lacks says nothing about its comments."""
    merged = {}
    for path in (*ours, *theirs):
        before = base.get(path, ())
        here, there = ours.get(path, before), theirs.get(path, before)
        merged[path] = there if here == before else here
    return merged


def _update_keys(result: SopsDocument, comparison: RecipientComparison, writer: SopsWriter) -> SopsDocument:
    """The file for the merged readers; who did it may be among them no longer, so nothing is decrypted any more."""
    handed = read_sops_document(
        writer.update_keys(result.file, result.data, to_recipient_keys(comparison.recipients)), result.file.path
    )
    if ciphertext(handed.content) != ciphertext(result.content) or recipient_ids(handed) != comparison.recipients:
        raise CannotMergeError("sops did not give the merged file the merged recipients")
    return handed
