"""How secrets files differ, by what can be seen of them without a key."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from envtree.frontend.link.declared_readers import PublicKey, index_public_keys, normalize_public_key
from envtree.model.nodes import EncryptedValue, ScalarNode, iter_scalars
from envtree.model.resource import Resource
from envtree.model.secrets_file import SCOPE_KEY, Recipient, SecretsFile, printable_key
from envtree.model.source import Kind
from envtree.queries.diff.diff_model import LeafChange, SecretsFileChange, SecretsFileReader
from envtree.queries.diff.tree_side import TreeSide

_Leaves = dict[str, ScalarNode]
_Files = dict[str, Resource]


def diff_secrets_files(base: TreeSide, head: TreeSide) -> Iterator[SecretsFileChange]:
    """The secrets files that differ, by path; of one that is wrong in itself only this is known."""
    before, after = _select_secrets_files(base), _select_secrets_files(head)
    people = {key: one for side in (base, head) for key, one in _people_by_key(side).items()}
    owners: dict[str, dict[str, None]] | None = None
    for path in sorted(before.keys() | after.keys()):
        one, other = before.get(path), after.get(path)
        if one is None and other:
            owners = owners or _files_by_ciphertext({**after, **before})
            origin = _find_copy_source(other, owners)
            source = before.get(origin) or after.get(origin)
            yield _added_file(other, source, people, moved=origin not in after)
        elif one and other is None:
            yield _removed_file(one, people)
        elif one and other and one.document.digest != other.document.digest:
            yield _changed_file(one, other, people)


def find_reencrypted_leaves(changes: Iterable[SecretsFileChange]) -> frozenset[str]:
    """The secrets that are encrypted anew, and may be the same: each as file and path."""
    leaves = ((file.path, leaf) for file in changes for leaf in file.leaves)
    return frozenset(f"{path}#{leaf.key}" for path, leaf in leaves if leaf.kind == "reencrypted")


def _select_secrets_files(side: TreeSide) -> _Files:
    return {path: one for path, one in side.files.items() if one.location.kind is Kind.SECRETS}


def _people_by_key(side: TreeSide) -> Mapping[str, PublicKey]:
    return index_public_keys(side.workspace.organization.document) if side.workspace else {}


def _added_file(
    head: Resource, origin: Resource | None, people: Mapping[str, PublicKey], *, moved: bool
) -> SecretsFileChange:
    return SecretsFileChange(
        head.document.path,
        "added",
        tuple(_diff_leaves(_leaves_by_path(origin), _leaves_by_path(head), reencrypted=False)),
        _readers_only_in(head.secrets_file, None, people),
        copied_from=origin.document.path if origin else "",
        moved=bool(origin) and moved,
    )


def _removed_file(base: Resource, people: Mapping[str, PublicKey]) -> SecretsFileChange:
    leaves = tuple(_diff_leaves(_leaves_by_path(base), {}, reencrypted=False))
    return SecretsFileChange(
        base.document.path, "removed", leaves, (), _readers_only_in(base.secrets_file, None, people)
    )


def _changed_file(base: Resource, head: Resource, people: Mapping[str, PublicKey]) -> SecretsFileChange:
    one, other = base.secrets_file, head.secrets_file
    path = head.document.path
    if one is None or other is None:
        return SecretsFileChange(path, "changed")
    reencrypted = _is_reencrypted(base, head)
    return SecretsFileChange(
        path,
        "changed",
        tuple(_diff_leaves(_leaves_by_path(base), _leaves_by_path(head), reencrypted=reencrypted)),
        _readers_only_in(other, one, people),
        _readers_only_in(one, other, people),
        reencrypted,
        _encryption_time(other) < _encryption_time(one),
    )


def _diff_leaves(old: _Leaves, new: _Leaves, *, reencrypted: bool) -> Iterator[LeafChange]:
    for key in dict.fromkeys((*old, *new)):
        before, after = old.get(key), new.get(key)
        if before is None or after is None:
            if after:
                yield LeafChange(key, "added", after.mark[0])
            elif before:
                yield LeafChange(key, "removed", before.mark[0])
        elif before.text != after.text:
            same = reencrypted and _may_be_same(before, after)
            yield LeafChange(key, "reencrypted" if same else "changed", after.mark[0])


def _leaves_by_path(file: Resource | None) -> _Leaves:
    """The values of a file by their paths; where it belongs is one, too."""
    if file is None or file.secrets_file is None:
        return {}
    scope = file.document.root.entries.get(SCOPE_KEY)
    found = {SCOPE_KEY: scope} if isinstance(scope, ScalarNode) else {}
    return found | {
        one.value.path: one for one in iter_scalars(file.secrets_file.content) if isinstance(one.value, EncryptedValue)
    }


def _is_reencrypted(base: Resource, head: Resource) -> bool:
    """Whether a file has a new data key: then every value is encrypted anew, whether it changed or not."""
    old, new = _leaves_by_path(base), _leaves_by_path(head)
    kept = any(name in new and new[name].text == leaf.text for name, leaf in old.items())
    wrapped = [
        {one.wrapped_data_key for one in side.secrets_file.recipients} for side in (base, head) if side.secrets_file
    ]
    return bool(old.keys() & new.keys()) and not kept and not set.intersection(*wrapped)


def _may_be_same(base: ScalarNode, head: ScalarNode) -> bool:
    """Whether two ciphertexts may hold the same value: their types and lengths show in clear."""
    one, other = base.value, head.value
    if isinstance(one, EncryptedValue) and isinstance(other, EncryptedValue):
        return one[:2] == other[:2]
    return len(base.text) == len(head.text)


def _files_by_ciphertext(files: _Files) -> dict[str, dict[str, None]]:
    """The files in which each ciphertext stands: no two are the same by chance."""
    found: dict[str, dict[str, None]] = {}
    for path, file in files.items():
        for leaf in _leaves_by_path(file).values():
            found.setdefault(leaf.text, {})[path] = None
    return found


def _find_copy_source(file: Resource, owners: Mapping[str, Mapping[str, None]]) -> str:
    """The file with which a new one has most ciphertexts in common, or an empty string."""
    mine = file.document.path
    shared = Counter(path for leaf in _leaves_by_path(file).values() for path in owners[leaf.text] if path != mine)
    return min(shared, key=lambda path: (-shared[path], path), default="")


def _readers_only_in(
    sealed: SecretsFile | None, others: SecretsFile | None, people: Mapping[str, PublicKey]
) -> tuple[SecretsFileReader, ...]:
    """Who can read a file, and not the other version of it."""
    known = {_recipient_identity(one) for one in others.recipients} if others else set()
    found = {
        _recipient_identity(one): one
        for one in (sealed.recipients if sealed else ())
        if _recipient_identity(one) not in known
    }
    named = ((people.get(normalize_public_key(one.value)), one) for one in found.values())
    told = (
        SecretsFileReader(one.kind, printable_key(one.kind, one.value), person.person if person else "")
        for person, one in named
    )
    return tuple(sorted(told, key=lambda reader: (not reader.person, reader.person, reader)))


def _recipient_identity(recipient: Recipient) -> tuple[str, str]:
    return recipient.kind, normalize_public_key(recipient.value)


def _encryption_time(sealed: SecretsFile) -> float:
    """When a file was last encrypted; its form was checked when it was read, but not that there is such a day."""
    try:
        return datetime.fromisoformat(sealed.lastmodified).timestamp()
    except ValueError:
        return 0.0
