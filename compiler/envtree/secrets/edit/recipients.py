"""Who can open a file, on the sides of a merge: each side's changes count, and a removal wins."""

from typing import NamedTuple

from envtree.model.secrets_file import PERSONAL, Recipient
from envtree.secrets.edit.leaves import ciphertext, leaves
from envtree.secrets.edit.reading import Sealed
from envtree.secrets.sops.writing import Keys

Opener = tuple[str, str, int]


class Sides(NamedTuple):
    """The file that a merge builds on, and who shall be able to open the result."""

    foundation: Sealed
    other: Sealed
    openers: frozenset[Opener]
    same_key: bool


def sides(base: Sealed | None, ours: Sealed, theirs: Sealed) -> Sides:
    """Build on the side that has a new data key, else on the one that has the readers already, else on ours."""
    wanted = merged_openers(base, ours, theirs)
    new_key = [base is not None and not share_key(base, side) for side in (ours, theirs)]
    they_have_them = wanted == openers_of(theirs) != openers_of(ours)
    on_theirs = new_key[1] if new_key[0] != new_key[1] else they_have_them
    first, second = (theirs, ours) if on_theirs else (ours, theirs)
    return Sides(first, second, wanted, share_key(ours, theirs))


def openers_of(sealed: Sealed) -> frozenset[Opener]:
    """The recipients of a file, by what tells them apart."""
    return frozenset((one.kind, one.value, one.group) for one in sealed.file.recipients)


def merged_openers(base: Sealed | None, ours: Sealed, theirs: Sealed) -> frozenset[Opener]:
    """Those of all sides, and those whom a side has added."""
    before = openers_of(base) if base else frozenset()
    here, there = openers_of(ours), openers_of(theirs)
    return (before & here & there) | (here - before) | (there - before)


def share_key(one: Sealed, other: Sealed) -> bool:
    """Whether two files are known to have one data key; a copied ciphertext would not be decrypted, so it proves it."""
    if {each.wrapped for each in one.file.recipients} & {each.wrapped for each in other.file.recipients}:
        return True
    known = leaves(other)
    return any(
        path in known and ciphertext(leaf.node) == ciphertext(known[path].node) for path, leaf in leaves(one).items()
    )


def is_plain(sealed: Sealed) -> bool:
    """Whether all recipients are people in one group, whom sops can be told by their public keys alone."""
    recipients = sealed.file.recipients
    return all(one.kind in PERSONAL and one.group == 0 for one in recipients) and sealed.file.threshold == 1


def keys(readers: frozenset[Opener] | tuple[Recipient, ...]) -> Keys:
    """People's recipients as sops takes them."""
    return Keys.of(sorted((each[0], each[1]) for each in readers))
