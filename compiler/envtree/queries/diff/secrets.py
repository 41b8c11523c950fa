"""How secrets files differ, by what can be seen of them without a key."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from envtree.frontend.link.readers import Key, everybody, identity
from envtree.model.nodes import Cipher, Scalar, scalars
from envtree.model.resource import Resource
from envtree.model.secrets_file import SCOPE, Recipient, SealedFile, shown_key
from envtree.model.source import Kind
from envtree.queries.diff.model import LeafChange, Reader, SecretsFileChange
from envtree.queries.diff.side import Side

_Leaves = dict[str, Scalar]
_Files = dict[str, Resource]


def secrets_files(base: Side, head: Side) -> Iterator[SecretsFileChange]:
    """The secrets files that differ, by path; of one that is wrong in itself only this is known."""
    before, after = _sealed(base), _sealed(head)
    people = {key: one for side in (base, head) for key, one in _people(side).items()}
    owners: dict[str, dict[str, None]] | None = None
    for path in sorted(before.keys() | after.keys()):
        one, other = before.get(path), after.get(path)
        if one is None and other:
            owners = owners or _owners({**after, **before})
            origin = _origin(other, owners)
            source = before.get(origin) or after.get(origin)
            yield _added(other, source, people, moved=origin not in after)
        elif one and other is None:
            yield _removed(one, people)
        elif one and other and one.document.digest != other.document.digest:
            yield _changed(one, other, people)


def anew(changes: Iterable[SecretsFileChange]) -> frozenset[str]:
    """The secrets that are encrypted anew, and may be the same: each as file and path."""
    leaves = ((file.path, leaf) for file in changes for leaf in file.leaves)
    return frozenset(f"{path}#{leaf.key}" for path, leaf in leaves if leaf.kind == "reencrypted")


def _sealed(side: Side) -> _Files:
    return {path: one for path, one in side.files.items() if one.location.kind is Kind.SECRETS}


def _people(side: Side) -> Mapping[str, Key]:
    return everybody(side.workspace.organization.document) if side.workspace else {}


def _added(head: Resource, origin: Resource | None, people: Mapping[str, Key], *, moved: bool) -> SecretsFileChange:
    return SecretsFileChange(
        head.document.path,
        "added",
        tuple(_leaf_changes(_leaves(origin), _leaves(head), reencrypted=False)),
        _readers(head.sealed, None, people),
        copied_from=origin.document.path if origin else "",
        moved=bool(origin) and moved,
    )


def _removed(base: Resource, people: Mapping[str, Key]) -> SecretsFileChange:
    leaves = tuple(_leaf_changes(_leaves(base), {}, reencrypted=False))
    return SecretsFileChange(base.document.path, "removed", leaves, (), _readers(base.sealed, None, people))


def _changed(base: Resource, head: Resource, people: Mapping[str, Key]) -> SecretsFileChange:
    one, other = base.sealed, head.sealed
    path = head.document.path
    if one is None or other is None:
        return SecretsFileChange(path, "changed")
    reencrypted = _is_reencrypted(base, head)
    return SecretsFileChange(
        path,
        "changed",
        tuple(_leaf_changes(_leaves(base), _leaves(head), reencrypted=reencrypted)),
        _readers(other, one, people),
        _readers(one, other, people),
        reencrypted,
        _time(other) < _time(one),
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
            same = reencrypted and _may_be_same(before, after)
            yield LeafChange(key, "reencrypted" if same else "changed", after.at[0])


def _leaves(file: Resource | None) -> _Leaves:
    """The values of a file by their paths; where it belongs is one, too."""
    if file is None or file.sealed is None:
        return {}
    scope = file.document.root.entries.get(SCOPE)
    found = {SCOPE: scope} if isinstance(scope, Scalar) else {}
    return found | {one.value.path: one for one in scalars(file.sealed.content) if isinstance(one.value, Cipher)}


def _is_reencrypted(base: Resource, head: Resource) -> bool:
    """Whether a file has a new data key: then every value is encrypted anew, whether it changed or not."""
    old, new = _leaves(base), _leaves(head)
    kept = any(name in new and new[name].text == leaf.text for name, leaf in old.items())
    wrapped = [{one.wrapped for one in side.sealed.recipients} for side in (base, head) if side.sealed]
    return bool(old.keys() & new.keys()) and not kept and not set.intersection(*wrapped)


def _may_be_same(base: Scalar, head: Scalar) -> bool:
    """Whether two ciphertexts may hold the same value: their types and lengths show in clear."""
    one, other = base.value, head.value
    if isinstance(one, Cipher) and isinstance(other, Cipher):
        return one[:2] == other[:2]
    return len(base.text) == len(head.text)


def _owners(files: _Files) -> dict[str, dict[str, None]]:
    """The files in which each ciphertext stands: no two are the same by chance."""
    found: dict[str, dict[str, None]] = {}
    for path, file in files.items():
        for leaf in _leaves(file).values():
            found.setdefault(leaf.text, {})[path] = None
    return found


def _origin(file: Resource, owners: Mapping[str, Mapping[str, None]]) -> str:
    """The file with which a new one has most ciphertexts in common, or an empty string."""
    mine = file.document.path
    shared = Counter(path for leaf in _leaves(file).values() for path in owners[leaf.text] if path != mine)
    return min(shared, key=lambda path: (-shared[path], path), default="")


def _readers(sealed: SealedFile | None, others: SealedFile | None, people: Mapping[str, Key]) -> tuple[Reader, ...]:
    """Who can read a file, and not the other version of it."""
    known = {_identity(one) for one in others.recipients} if others else set()
    found = {_identity(one): one for one in (sealed.recipients if sealed else ()) if _identity(one) not in known}
    named = ((people.get(identity(one.value)), one) for one in found.values())
    told = (Reader(one.kind, shown_key(one.kind, one.value), person.person if person else "") for person, one in named)
    return tuple(sorted(told, key=lambda reader: (not reader.person, reader.person, reader)))


def _identity(recipient: Recipient) -> tuple[str, str]:
    return recipient.kind, identity(recipient.value)


def _time(sealed: SealedFile) -> float:
    """When a file was last encrypted; its form was checked when it was read, but not that there is such a day."""
    try:
        return datetime.fromisoformat(sealed.lastmodified).timestamp()
    except ValueError:
        return 0.0
