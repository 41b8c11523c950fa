"""How secrets files differ, by what can be seen of them without a key."""

from collections.abc import Iterator, Mapping
from datetime import datetime

from envtree.diff.model import LeafChange, SecretsFileChange
from envtree.node import Cipher, Scalar, scalars
from envtree.resource import Resource
from envtree.secret import SealedFile

_Leaves = dict[str, Scalar]


def secrets_files(base: Mapping[str, Resource], head: Mapping[str, Resource]) -> Iterator[SecretsFileChange]:
    """The secrets files that differ, by path; one that is wrong in itself is only known to be there."""
    before, after = _sealed(base), _sealed(head)
    for path in sorted(before.keys() | after.keys()):
        one, other = before.get(path), after.get(path)
        if one is None or other is None or one.digest != other.digest:
            yield _change(path, one, other)


def is_reencrypted(base: SealedFile, head: SealedFile) -> bool:
    """Whether a file has a new data key: then every value is encrypted anew, whether it changed or not."""
    old, new = _leaves(base), _leaves(head)
    kept = any(name in new and new[name].text == leaf.text for name, leaf in old.items())
    wrapped = {recipient.wrapped for recipient in base.recipients} & {one.wrapped for one in head.recipients}
    return bool(old.keys() & new.keys()) and not kept and not wrapped


def maybe_same(base: Scalar, head: Scalar) -> bool:
    """Whether two ciphertexts may hold the same value: their types and lengths show in clear."""
    one, other = base.value, head.value
    return isinstance(one, Cipher) and isinstance(other, Cipher) and one[:2] == other[:2]


def _sealed(files: Mapping[str, Resource]) -> dict[str, SealedFile]:
    return {path: resource.sealed for path, resource in files.items() if resource.sealed}


def _change(path: str, base: SealedFile | None, head: SealedFile | None) -> SecretsFileChange:
    reencrypted = bool(base and head and is_reencrypted(base, head))
    old, new = (_leaves(one) if one else {} for one in (base, head))
    people = [{f"{one.kind}:{one.value}" for one in side.recipients} if side else set() for side in (base, head)]
    return SecretsFileChange(
        path=path,
        kind="added" if base is None else "removed" if head is None else "changed",
        leaves=tuple(_leaf_changes(old, new, reencrypted=reencrypted)),
        recipients_added=tuple(sorted(people[1] - people[0])) if base else (),
        recipients_removed=tuple(sorted(people[0] - people[1])) if head else (),
        reencrypted=reencrypted,
        rolled_back=bool(base and head and _time(head) < _time(base)),
    )


def _leaf_changes(old: _Leaves, new: _Leaves, *, reencrypted: bool) -> Iterator[LeafChange]:
    for key in dict.fromkeys((*old, *new)):
        before, after = old.get(key), new.get(key)
        if before is None or after is None:
            if after:
                yield LeafChange(key, "added", after.at[0])
            elif before:
                yield LeafChange(key, "removed", before.at[0])
        elif before.text != after.text:
            same = reencrypted and maybe_same(before, after)
            yield LeafChange(key, "reencrypted" if same else "changed", after.at[0])


def _leaves(sealed: SealedFile) -> _Leaves:
    return {leaf.value.path: leaf for leaf in scalars(sealed.content) if isinstance(leaf.value, Cipher)}


def _time(sealed: SealedFile) -> float:
    """When a file was last encrypted; its form was checked when it was read, but not that there is such a day."""
    try:
        return datetime.fromisoformat(sealed.lastmodified).timestamp()
    except ValueError:
        return 0.0
