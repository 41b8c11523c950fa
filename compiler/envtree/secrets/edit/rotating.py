"""A secrets file gets a new data key, and exactly the readers that are declared for it."""

from typing import NamedTuple

from envtree.frontend.link.readers import Readers, identity
from envtree.model.diagnostic import NoKey, Refusal
from envtree.model.secrets_file import PERSONAL, DecryptError, Recipient, SecretsPolicy, shown_key
from envtree.secrets.edit.leaves import kinds
from envtree.secrets.edit.reading import Sealed, read
from envtree.secrets.edit.recipients import is_plain
from envtree.secrets.sops import verify
from envtree.secrets.sops.writing import Keys, SopsWriter


class Rotated(NamedTuple):
    """The new file, how many can open it, and who could not before, or cannot any more."""

    sealed: Sealed
    readers: int
    added: tuple[str, ...]
    removed: tuple[str, ...]


class _Change(NamedTuple):
    """What has to change for the recipients to be the readers, in the words of sops and of people."""

    add: Keys
    remove: Keys
    added: tuple[str, ...]
    removed: tuple[str, ...]


def rotated(sealed: Sealed, readers: Readers | None, writer: SopsWriter) -> Rotated:
    """The file under a new data key, opened and compared; DecryptError, Refusal or Failure if it cannot be."""
    change = _change(sealed, readers, writer.policy)
    before = writer.open(sealed.file, sealed.data)
    verify(sealed.file, before)
    data = writer.rotate(sealed.file, sealed.data, change.add, change.remove)
    result = read(data, sealed.file.path, sealed.file.location)
    _check_recipients(sealed, result, change)
    try:
        after = writer.open(result.file, result.data)
    except NoKey:
        message = f"nothing on this machine could open '{sealed.file.path}' afterwards, and so nobody could check it"
        raise Refusal("ET609", message, "let somebody rotate it who is among its declared readers") from None
    if after != before or kinds(result.content) != kinds(sealed.content):
        raise DecryptError("ET611", f"sops did not give back the values of '{sealed.file.path}'")
    return Rotated(result, len(result.file.recipients), change.added, change.removed)


def _change(sealed: Sealed, readers: Readers | None, policy: SecretsPolicy) -> _Change:
    if readers is None:
        return _Change(Keys(), Keys(), (), ())
    present = {identity(one.value): one for one in sealed.file.recipients if one.kind in PERSONAL}
    missing = [(spelling, key) for spelling, key in sorted(readers.declared.items()) if spelling not in present]
    surplus = [one for spelling, one in sorted(present.items()) if spelling not in readers.declared]
    if (missing or surplus) and (not readers.declared or not is_plain(sealed)):
        why = "no reader with a key is declared" if not readers.declared else "it has key groups, or services"
        message = f"the recipients of '{sealed.file.path}' are not its declared readers, and {why}"
        raise Refusal("ET609", message, "correct 'secret_readers' and 'people', or the file with sops itself")
    refused = next((key for _, key in missing if key.kind not in policy.key_types), None)
    if refused:
        message = f"'{sealed.file.path}' would be encrypted for a key of type '{refused.kind}', which is not allowed"
        raise Refusal("ET604", message, "add its type to 'secrets.key_types' in organization.yaml, or use another key")
    everybody = readers.everybody
    return _Change(
        Keys.of((key.kind, spelling) for spelling, key in missing),
        Keys.of((one.kind, one.value) for one in surplus),
        tuple(sorted(key.person for _, key in missing)),
        tuple(
            everybody[found].person if (found := identity(one.value)) in everybody else shown_key(one.kind, found)
            for one in surplus
        ),
    )


def _check_recipients(before: Sealed, after: Sealed, change: _Change) -> None:
    """The data key is another one, and the recipients are those that were asked for."""
    wanted = (_names(before.file.recipients) | {*change.add.age, *change.add.pgp}) - {
        *map(identity, (*change.remove.age, *change.remove.pgp))
    }
    kept = {one.wrapped for one in before.file.recipients} & {one.wrapped for one in after.file.recipients}
    if kept or _names(after.file.recipients) != wanted:
        raise DecryptError("ET611", f"sops did not give '{before.file.path}' a new data key for its readers")


def _names(recipients: tuple[Recipient, ...]) -> set[str]:
    return {identity(one.value) for one in recipients}
