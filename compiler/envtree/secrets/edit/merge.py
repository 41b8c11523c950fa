"""Three versions of a SOPS file become one, with the real sops: values are merged by key, and ciphertexts stay.

The MAC covers the values in their order. So sops makes each change on the file of one side, which gives a new MAC; then
the new ciphertexts are replaced by those of the side that the values are from, and the comments are merged by line.
"""

from collections.abc import Container, Iterable, Iterator
from concurrent.futures import Future
from typing import NamedTuple

from envtree.frontend.link.readers import identity
from envtree.model.diagnostic import NoKey
from envtree.model.keypath import KeyPath, format_path
from envtree.model.secrets_file import DecryptError, shown_key
from envtree.secrets.edit.leaves import UNKNOWN, Leaves, ciphertext, leaves, same
from envtree.secrets.edit.reading import Sealed, UnreadableError, read
from envtree.secrets.edit.recipients import Opener, Sides, is_plain, keys, openers_of, sides
from envtree.secrets.edit.sops_edits import plan
from envtree.secrets.edit.splice import Comments, commented, comments, retyped, transplanted
from envtree.secrets.edit.three_way import Merged, three_way
from envtree.secrets.sops import verify
from envtree.secrets.sops.pooled import pooled
from envtree.secrets.sops.writing import SopsWriter, is_addressable


class Outcome(NamedTuple):
    """The merged file, the keys in conflict, with ours in the file, and who has lost access without a new data key."""

    data: bytes
    conflicts: dict[KeyPath, str]
    removed: tuple[str, ...]


class CannotMergeError(Exception):
    """The versions cannot be merged at all, and why."""


def merge(base: Sealed | None, ours: Sealed, theirs: Sealed, writer: SopsWriter, people: Container[str]) -> Outcome:
    """Merge by key; CannotMergeError where ours has to stay as it is, DecryptError or Failure from sops.

    Nobody gets the file who is no recipient on both sides, and whose key is none of `people`: whoever has no key can
    still write a recipient into a file, and sops would wrap the data key for it.
    """
    opened = _open(base, ours, theirs, writer)
    merged = three_way(*opened)
    on = sides(base, ours, theirs)
    if on.openers != openers_of(on.foundation):
        if not (is_plain(ours) and is_plain(theirs)):
            raise CannotMergeError("both sides have changed the recipients, and they are not all people in one group")
        _check_newcomers(on.openers - (openers_of(ours) & openers_of(theirs)), people)
    present = opened[1] if on.foundation is ours else opened[2]
    changed = _apply(merged, present, on.foundation, writer)
    from_theirs = {path for path, leaf in merged.leaves.items() if opened[1].get(path) is not leaf}
    result = _dress(changed, merged, from_theirs, (base, ours, theirs), on, writer)
    before = openers_of(on.foundation)
    if on.openers != before:
        result = _hand_over(result, on, writer)
    return Outcome(
        result.data, merged.conflicts, tuple(sorted(shown_key(kind, value) for kind, value, _ in before - on.openers))
    )


def _check_newcomers(openers: Iterable[Opener], people: Container[str]) -> None:
    for kind, value, _ in sorted(openers):
        if identity(value) not in people:
            why = f"it would be handed to {shown_key(kind, value)}, whose key is nobody's under 'people'"
            raise CannotMergeError(f"{why}: declare it in organization.yaml first, or take it out")


def _open(base: Sealed | None, ours: Sealed, theirs: Sealed, writer: SopsWriter) -> tuple[Leaves, Leaves, Leaves]:
    """The values of all three; those of the base may stay unknown, for who came later cannot open it."""
    with pooled(writer.program.stop, 3) as pool:
        before = pool.submit(_leaves, base, writer) if base else None
        here, there = (pool.submit(_leaves, side, writer) for side in (ours, theirs))
        return _base_leaves(base, before), here.result(), there.result()


def _base_leaves(base: Sealed | None, opened: "Future[Leaves] | None") -> Leaves:
    if base is None or opened is None:
        return {}
    try:
        return opened.result()
    except NoKey:
        return leaves(base, UNKNOWN)


def _leaves(sealed: Sealed, writer: SopsWriter) -> Leaves:
    plain = writer.open(sealed.file, sealed.data)
    # Where the file belongs is a value like any other here: a merge may come with a move.
    verify(sealed.file._replace(scope=None), plain)
    return leaves(sealed, plain)


def _apply(merged: Merged, present: Leaves, foundation: Sealed, writer: SopsWriter) -> Sealed:
    """The foundation with the merged values, as sops writes them."""
    todo = plan(present, merged.leaves)
    lost = next((step.path for step in todo.steps if not is_addressable(step.path)), None)
    if lost:
        raise CannotMergeError(f"sops has no way to write '{format_path(lost)}'")
    if not todo.steps:
        return foundation
    path = foundation.file.path
    changed = read(writer.change(foundation.file, foundation.data, todo.steps), path)
    return read(retyped(changed, todo.types).encode(), path)


def _dress(
    changed: Sealed,
    merged: Merged,
    from_theirs: set[KeyPath],
    versions: tuple[Sealed | None, Sealed, Sealed],
    on: Sides,
    writer: SopsWriter,
) -> Sealed:
    """The merged file with the ciphertexts and the comments of the sides, checked by sops and compared."""
    _, ours, theirs = versions
    source = {path: theirs if path in from_theirs else ours for path in merged.leaves}
    values = {
        path: (source[path], leaf.node)
        for path, leaf in merged.leaves.items()
        if on.same_key or source[path] is on.foundation
    }
    for candidate in _candidates(transplanted(changed, values), versions, on):
        try:
            result = read(candidate.encode(), ours.file.path)
            found = _leaves(result, writer)
        except (UnreadableError, DecryptError):
            continue
        if found.keys() == merged.leaves.keys() and all(same(found[path], merged.leaves[path]) for path in found):
            return result
    raise CannotMergeError("sops does not take the merged file for whole")


def _candidates(text: str, versions: tuple[Sealed | None, Sealed, Sealed], on: Sides) -> Iterator[str]:
    """With the comments of both sides where they can be read in the result, and as it is."""
    base, ours, theirs = versions
    if on.same_key:
        plainly = read(text.encode(), ours.file.path)
        wanted = _merged_comments(comments(base) if base else {}, comments(ours), comments(theirs))
        yield commented(plainly, wanted)
    yield text


def _merged_comments(base: Comments, ours: Comments, theirs: Comments) -> Comments:
    """What only theirs has changed is theirs; a key that a side lacks says nothing about its comments."""
    merged = {}
    for path in (*ours, *theirs):
        before = base.get(path, ())
        here, there = ours.get(path, before), theirs.get(path, before)
        merged[path] = there if here == before else here
    return merged


def _hand_over(result: Sealed, on: Sides, writer: SopsWriter) -> Sealed:
    """The file for the merged readers; who did it may be among them no longer, so nothing is decrypted any more."""
    handed = read(writer.hand_over(result.file, result.data, keys(on.openers)), result.file.path)
    if ciphertext(handed.content) != ciphertext(result.content) or openers_of(handed) != on.openers:
        raise CannotMergeError("sops did not give the merged file the merged recipients")
    return handed
