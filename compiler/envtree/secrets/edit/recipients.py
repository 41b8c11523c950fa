"""Who can open a file, on the sides of a merge: each side's changes count, and a removal wins."""

from typing import NamedTuple

from envtree.model.secrets_file import PERSONAL_KEY_KINDS, Recipient
from envtree.secrets.edit.sops_document import SopsDocument
from envtree.secrets.edit.sops_values import ciphertext, collect_values
from envtree.secrets.sops.writer import RecipientKeys

RecipientId = tuple[str, str, int]


class RecipientComparison(NamedTuple):
    """The file that a merge builds on, and who shall be able to open the result."""

    target: SopsDocument
    source: SopsDocument
    recipients: frozenset[RecipientId]
    has_same_data_key: bool


def compare_recipients(base: SopsDocument | None, ours: SopsDocument, theirs: SopsDocument) -> RecipientComparison:
    """Build on the side that has a new data key, else on the one that has the readers already, else on ours."""
    wanted = merge_recipients(base, ours, theirs)
    new_key = [base is not None and not share_data_key(base, side) for side in (ours, theirs)]
    they_have_them = wanted == recipient_ids(theirs) != recipient_ids(ours)
    on_theirs = new_key[1] if new_key[0] != new_key[1] else they_have_them
    first, second = (theirs, ours) if on_theirs else (ours, theirs)
    return RecipientComparison(first, second, wanted, share_data_key(ours, theirs))


def recipient_ids(sealed: SopsDocument) -> frozenset[RecipientId]:
    """The recipients of a file, by what tells them apart."""
    return frozenset((one.kind, one.value, one.group) for one in sealed.file.recipients)


def merge_recipients(base: SopsDocument | None, ours: SopsDocument, theirs: SopsDocument) -> frozenset[RecipientId]:
    """Those of all sides, and those whom a side has added."""
    before = recipient_ids(base) if base else frozenset()
    here, there = recipient_ids(ours), recipient_ids(theirs)
    return (before & here & there) | (here - before) | (there - before)


def share_data_key(first: SopsDocument, second: SopsDocument) -> bool:
    """Whether two files are known to have one data key; a copied ciphertext would not be decrypted, so it proves it."""
    if {each.wrapped_data_key for each in first.file.recipients} & {
        each.wrapped_data_key for each in second.file.recipients
    }:
        return True
    known = collect_values(second)
    return any(
        path in known and ciphertext(leaf.node) == ciphertext(known[path].node)
        for path, leaf in collect_values(first).items()
    )


def is_single_personal_group(sealed: SopsDocument) -> bool:
    """Whether all recipients are people in one group, whom sops can be told by their public keys alone."""
    recipients = sealed.file.recipients
    return all(one.kind in PERSONAL_KEY_KINDS and one.group == 0 for one in recipients) and sealed.file.threshold == 1


def to_recipient_keys(readers: frozenset[RecipientId] | tuple[Recipient, ...]) -> RecipientKeys:
    """People's recipients as sops takes them."""
    return RecipientKeys.of(sorted((each[0], each[1]) for each in readers))
