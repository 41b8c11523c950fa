"""Compare secrets files, as far as this is possible without a key."""

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
    """Yield the secrets files that differ, by path; of an invalid one only the fact that it differs is known."""
    base_files, head_files = _select_secrets_files(base), _select_secrets_files(head)
    people = {key: person for side in (base, head) for key, person in _people_by_key(side).items()}
    paths_by_ciphertext: dict[str, dict[str, None]] | None = None
    for path in sorted(base_files.keys() | head_files.keys()):
        old, new = base_files.get(path), head_files.get(path)
        if old is None and new:
            paths_by_ciphertext = paths_by_ciphertext or _files_by_ciphertext({**head_files, **base_files})
            source_path = _find_copy_source(new, paths_by_ciphertext)
            source = base_files.get(source_path) or head_files.get(source_path)
            yield _added_file(new, source, people, moved=source_path not in head_files)
        elif old and new is None:
            yield _removed_file(old, people)
        elif old and new and old.document.digest != new.document.digest:
            yield _changed_file(old, new, people)


def find_reencrypted_leaves(changes: Iterable[SecretsFileChange]) -> frozenset[str]:
    """Return the leaves that have new ciphertexts and may have the same values, as `file#path`."""
    leaves = ((file.path, leaf) for file in changes for leaf in file.leaves)
    return frozenset(f"{path}#{leaf.key}" for path, leaf in leaves if leaf.kind == "reencrypted")


def _select_secrets_files(side: TreeSide) -> _Files:
    return {path: file for path, file in side.files.items() if file.location.kind is Kind.SECRETS}


def _people_by_key(side: TreeSide) -> Mapping[str, PublicKey]:
    return index_public_keys(side.workspace.organization.document) if side.workspace else {}


def _added_file(
    head: Resource, source: Resource | None, people: Mapping[str, PublicKey], *, moved: bool
) -> SecretsFileChange:
    return SecretsFileChange(
        path=head.document.path,
        kind="added",
        leaves=tuple(_diff_leaves(_leaves_by_path(source), _leaves_by_path(head), reencrypted=False)),
        readers_added=_readers_only_in(head.secrets_file, None, people),
        copied_from=source.document.path if source else "",
        moved=bool(source) and moved,
    )


def _removed_file(base: Resource, people: Mapping[str, PublicKey]) -> SecretsFileChange:
    leaves = tuple(_diff_leaves(_leaves_by_path(base), {}, reencrypted=False))
    return SecretsFileChange(
        path=base.document.path,
        kind="removed",
        leaves=leaves,
        readers_removed=_readers_only_in(base.secrets_file, None, people),
    )


def _changed_file(base: Resource, head: Resource, people: Mapping[str, PublicKey]) -> SecretsFileChange:
    old, new = base.secrets_file, head.secrets_file
    path = head.document.path
    if old is None or new is None:
        return SecretsFileChange(path, "changed")
    reencrypted = _is_reencrypted(base, head)
    return SecretsFileChange(
        path=path,
        kind="changed",
        leaves=tuple(_diff_leaves(_leaves_by_path(base), _leaves_by_path(head), reencrypted=reencrypted)),
        readers_added=_readers_only_in(new, old, people),
        readers_removed=_readers_only_in(old, new, people),
        reencrypted=reencrypted,
        rolled_back=_encryption_time(new) < _encryption_time(old),
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
            may_be_same = reencrypted and _may_be_same(before, after)
            yield LeafChange(key, "reencrypted" if may_be_same else "changed", after.mark[0])


def _leaves_by_path(file: Resource | None) -> _Leaves:
    """Return the values of a file by path, its scope included."""
    if file is None or file.secrets_file is None:
        return {}
    scope = file.document.root.entries.get(SCOPE_KEY)
    leaves = {SCOPE_KEY: scope} if isinstance(scope, ScalarNode) else {}
    return leaves | {
        leaf.value.path: leaf
        for leaf in iter_scalars(file.secrets_file.content)
        if isinstance(leaf.value, EncryptedValue)
    }


def _is_reencrypted(base: Resource, head: Resource) -> bool:
    """Report whether a file has a new data key: then every ciphertext is new, whether its value changed or not."""
    old, new = _leaves_by_path(base), _leaves_by_path(head)
    has_unchanged_leaf = any(name in new and new[name].text == leaf.text for name, leaf in old.items())
    wrapped_data_keys = [
        {recipient.wrapped_data_key for recipient in side.secrets_file.recipients}
        for side in (base, head)
        if side.secrets_file
    ]
    return bool(old.keys() & new.keys()) and not has_unchanged_leaf and not set.intersection(*wrapped_data_keys)


def _may_be_same(base: ScalarNode, head: ScalarNode) -> bool:
    """Report whether two ciphertexts may have the same value: their types and lengths are in plaintext."""
    base_value, head_value = base.value, head.value
    if isinstance(base_value, EncryptedValue) and isinstance(head_value, EncryptedValue):
        return base_value[:2] == head_value[:2]
    return len(base.text) == len(head.text)


def _files_by_ciphertext(files: _Files) -> dict[str, dict[str, None]]:
    """Return the paths of the files that contain each ciphertext; no two are equal by chance."""
    paths_by_ciphertext: dict[str, dict[str, None]] = {}
    for path, file in files.items():
        for leaf in _leaves_by_path(file).values():
            paths_by_ciphertext.setdefault(leaf.text, {})[path] = None
    return paths_by_ciphertext


def _find_copy_source(file: Resource, paths_by_ciphertext: Mapping[str, Mapping[str, None]]) -> str:
    """Return the path of the file that shares most ciphertexts with a new one, or an empty string."""
    own_path = file.document.path
    shared_counts = Counter(
        path for leaf in _leaves_by_path(file).values() for path in paths_by_ciphertext[leaf.text] if path != own_path
    )
    return min(shared_counts, key=lambda path: (-shared_counts[path], path), default="")


def _readers_only_in(
    file: SecretsFile | None, other: SecretsFile | None, people: Mapping[str, PublicKey]
) -> tuple[SecretsFileReader, ...]:
    """Return the readers of a file that the other version of it does not have."""
    other_identities = {_recipient_identity(recipient) for recipient in other.recipients} if other else set()
    recipients = {
        _recipient_identity(recipient): recipient
        for recipient in (file.recipients if file else ())
        if _recipient_identity(recipient) not in other_identities
    }
    with_people = ((people.get(normalize_public_key(recipient.value)), recipient) for recipient in recipients.values())
    readers = (
        SecretsFileReader(
            recipient.kind, printable_key(recipient.kind, recipient.value), person.person if person else ""
        )
        for person, recipient in with_people
    )
    return tuple(sorted(readers, key=lambda reader: (not reader.person, reader.person, reader)))


def _recipient_identity(recipient: Recipient) -> tuple[str, str]:
    return recipient.kind, normalize_public_key(recipient.value)


def _encryption_time(file: SecretsFile) -> float:
    """Return when a file was last encrypted, 0 for an impossible date: only the format was checked on reading."""
    try:
        return datetime.fromisoformat(file.lastmodified).timestamp()
    except ValueError:
        return 0.0
