"""Merge the recipients of two versions of a file: the changes of both sides count, and a removal wins."""

from typing import NamedTuple

from envtree.model.secrets_file import PERSONAL_KEY_KINDS, Recipient
from envtree.secrets.edit.sops_document import SopsDocument
from envtree.secrets.edit.sops_values import ciphertext, collect_values
from envtree.secrets.sops.writer import RecipientKeys

RecipientId = tuple[str, str, int]


class RecipientComparison(NamedTuple):
    """The version that a merge builds on, the other one, the merged recipients, and whether both share a data key."""

    target: SopsDocument
    source: SopsDocument
    recipients: frozenset[RecipientId]
    has_same_data_key: bool


def compare_recipients(base: SopsDocument | None, ours: SopsDocument, theirs: SopsDocument) -> RecipientComparison:
    """Choose the side to build on: the one with a new data key, else the one with the merged recipients, else ours."""
    merged = merge_recipients(base, ours, theirs)
    has_new_key = [base is not None and not share_data_key(base, side) for side in (ours, theirs)]
    theirs_has_merged = merged == recipient_ids(theirs) != recipient_ids(ours)
    builds_on_theirs = has_new_key[1] if has_new_key[0] != has_new_key[1] else theirs_has_merged
    target, source = (theirs, ours) if builds_on_theirs else (ours, theirs)
    return RecipientComparison(target, source, merged, has_same_data_key=share_data_key(ours, theirs))


def recipient_ids(document: SopsDocument) -> frozenset[RecipientId]:
    """Return the recipients of a file by kind, value and group."""
    return frozenset((recipient.kind, recipient.value, recipient.group) for recipient in document.file.recipients)


def merge_recipients(base: SopsDocument | None, ours: SopsDocument, theirs: SopsDocument) -> frozenset[RecipientId]:
    """Return the recipients that all versions have, and those that a side has added."""
    before = recipient_ids(base) if base else frozenset()
    our_ids, their_ids = recipient_ids(ours), recipient_ids(theirs)
    return (before & our_ids & their_ids) | (our_ids - before) | (their_ids - before)


def share_data_key(first: SopsDocument, second: SopsDocument) -> bool:
    """Report whether two files are known to have the same data key.

    An equal wrapping or an equal ciphertext proves it: a ciphertext copied under another key could not be decrypted.
    """
    if {recipient.wrapped_data_key for recipient in first.file.recipients} & {
        recipient.wrapped_data_key for recipient in second.file.recipients
    }:
        return True
    second_values = collect_values(second)
    return any(
        path in second_values and ciphertext(leaf.node) == ciphertext(second_values[path].node)
        for path, leaf in collect_values(first).items()
    )


def is_single_personal_group(document: SopsDocument) -> bool:
    """Report whether all recipients are people in one group, so that public keys alone describe them to sops."""
    recipients = document.file.recipients
    return (
        all(recipient.kind in PERSONAL_KEY_KINDS and recipient.group == 0 for recipient in recipients)
        and document.file.threshold == 1
    )


def to_recipient_keys(readers: frozenset[RecipientId] | tuple[Recipient, ...]) -> RecipientKeys:
    """Return the recipients of people in the form that sops takes."""
    return RecipientKeys.of(sorted((recipient[0], recipient[1]) for recipient in readers))
