"""A secrets file gets a new data key, and exactly the readers that are declared for it."""

from typing import NamedTuple

from envtree.engine.decryption import verify_plaintext
from envtree.frontend.link.declared_readers import DeclaredReaders, normalize_public_key
from envtree.model.diagnostic import NoKeyError, RefusedError
from envtree.model.secrets_file import PERSONAL_KEY_KINDS, DecryptError, Recipient, SecretsPolicy, printable_key
from envtree.secrets.edit.recipients import is_single_personal_group
from envtree.secrets.edit.sops_document import SopsDocument, read_sops_document
from envtree.secrets.edit.sops_values import node_types
from envtree.secrets.sops.writer import RecipientKeys, SopsWriter


class KeyRotation(NamedTuple):
    """The new file, how many can open it, and who could not before, or cannot any more."""

    sealed: SopsDocument
    reader_count: int
    added: tuple[str, ...]
    removed: tuple[str, ...]


class _RecipientChange(NamedTuple):
    """What has to change for the recipients to be the readers, in the words of sops and of people."""

    add: RecipientKeys
    remove: RecipientKeys
    added: tuple[str, ...]
    removed: tuple[str, ...]


def rotate_data_key(sealed: SopsDocument, readers: DeclaredReaders | None, writer: SopsWriter) -> KeyRotation:
    """The file under a new data key, opened and compared; DecryptError, Refusal or Failure if it cannot be."""
    change = _plan_recipient_change(sealed, readers, writer.policy)
    before = writer.decrypt(sealed.file, sealed.data)
    verify_plaintext(sealed.file, before)
    data = writer.rotate(sealed.file, sealed.data, change.add, change.remove)
    result = read_sops_document(data, sealed.file.path, sealed.file.location)
    _check_recipients(sealed, result, change)
    try:
        after = writer.decrypt(result.file, result.data)
    except NoKeyError:
        message = f"nothing on this machine could open '{sealed.file.path}' afterwards, and so nobody could check it"
        raise RefusedError("ET609", message, "let somebody rotate it who is among its declared readers") from None
    if after != before or node_types(result.content) != node_types(sealed.content):
        raise DecryptError("ET611", f"sops did not give back the values of '{sealed.file.path}'")
    return KeyRotation(result, len(result.file.recipients), change.added, change.removed)


def _plan_recipient_change(
    sealed: SopsDocument, readers: DeclaredReaders | None, policy: SecretsPolicy
) -> _RecipientChange:
    if readers is None:
        return _RecipientChange(RecipientKeys(), RecipientKeys(), (), ())
    present = {normalize_public_key(one.value): one for one in sealed.file.recipients if one.kind in PERSONAL_KEY_KINDS}
    missing = [(spelling, key) for spelling, key in sorted(readers.declared.items()) if spelling not in present]
    surplus = [one for spelling, one in sorted(present.items()) if spelling not in readers.declared]
    if (missing or surplus) and (not readers.declared or not is_single_personal_group(sealed)):
        why = "no reader with a key is declared" if not readers.declared else "it has key groups, or services"
        message = f"the recipients of '{sealed.file.path}' are not its declared readers, and {why}"
        raise RefusedError("ET609", message, "correct 'secret_readers' and 'people', or the file with sops itself")
    refused = next((key for _, key in missing if key.kind not in policy.key_types), None)
    if refused:
        message = f"'{sealed.file.path}' would be encrypted for a key of type '{refused.kind}', which is not allowed"
        raise RefusedError(
            "ET604", message, "add its type to 'secrets.key_types' in organization.yaml, or use another key"
        )
    everybody = readers.all_keys
    return _RecipientChange(
        RecipientKeys.of((key.kind, spelling) for spelling, key in missing),
        RecipientKeys.of((one.kind, one.value) for one in surplus),
        tuple(sorted(key.person for _, key in missing)),
        tuple(
            everybody[found].person
            if (found := normalize_public_key(one.value)) in everybody
            else printable_key(one.kind, found)
            for one in surplus
        ),
    )


def _check_recipients(before: SopsDocument, after: SopsDocument, change: _RecipientChange) -> None:
    """The data key is another one, and the recipients are those that were asked for."""
    wanted = (_recipient_identities(before.file.recipients) | {*change.add.age, *change.add.pgp}) - {
        *map(normalize_public_key, (*change.remove.age, *change.remove.pgp))
    }
    kept = {one.wrapped_data_key for one in before.file.recipients} & {
        one.wrapped_data_key for one in after.file.recipients
    }
    if kept or _recipient_identities(after.file.recipients) != wanted:
        raise DecryptError("ET611", f"sops did not give '{before.file.path}' a new data key for its readers")


def _recipient_identities(recipients: tuple[Recipient, ...]) -> set[str]:
    return {normalize_public_key(one.value) for one in recipients}
