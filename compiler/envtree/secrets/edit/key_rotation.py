"""Encrypt a secrets file with a new data key for exactly its declared readers."""

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
    """The new file, the number of its recipients, and the recipients that were added and removed."""

    sealed: SopsDocument
    reader_count: int
    added: tuple[str, ...]
    removed: tuple[str, ...]


class _RecipientChange(NamedTuple):
    """The keys to add and remove so that the recipients are the declared readers, and the names of their owners."""

    add: RecipientKeys
    remove: RecipientKeys
    added: tuple[str, ...]
    removed: tuple[str, ...]


def rotate_data_key(document: SopsDocument, readers: DeclaredReaders | None, writer: SopsWriter) -> KeyRotation:
    """Encrypt a file with a new data key, decrypt the result and require the same values.

    Raises DecryptError, RefusedError or MachineError. A user who is no reader afterwards could not check the result, so
    the rotation is refused.
    """
    change = _plan_recipient_change(document, readers, writer.policy)
    before = writer.decrypt(document.file, document.data)
    verify_plaintext(document.file, before)
    data = writer.rotate(document.file, document.data, change.add, change.remove)
    result = read_sops_document(data, document.file.path, document.file.location)
    _check_recipients(document, result, change)
    try:
        after = writer.decrypt(result.file, result.data)
    except NoKeyError:
        message = f"nothing on this machine could open '{document.file.path}' afterwards, and so nobody could check it"
        raise RefusedError("ET609", message, "let somebody rotate it who is among its declared readers") from None
    if after != before or node_types(result.content) != node_types(document.content):
        raise DecryptError("ET611", f"sops did not give back the values of '{document.file.path}'")
    return KeyRotation(result, len(result.file.recipients), change.added, change.removed)


def _plan_recipient_change(
    document: SopsDocument, readers: DeclaredReaders | None, policy: SecretsPolicy
) -> _RecipientChange:
    if readers is None:
        return _RecipientChange(RecipientKeys(), RecipientKeys(), (), ())
    present = {
        normalize_public_key(recipient.value): recipient
        for recipient in document.file.recipients
        if recipient.kind in PERSONAL_KEY_KINDS
    }
    missing = [(spelling, key) for spelling, key in sorted(readers.declared.items()) if spelling not in present]
    surplus = [recipient for spelling, recipient in sorted(present.items()) if spelling not in readers.declared]
    if (missing or surplus) and (not readers.declared or not is_single_personal_group(document)):
        why = "no reader with a key is declared" if not readers.declared else "it has key groups, or services"
        message = f"the recipients of '{document.file.path}' are not its declared readers, and {why}"
        raise RefusedError("ET609", message, "correct 'secret_readers' and 'people', or the file with sops itself")
    refused = next((key for _, key in missing if key.kind not in policy.key_types), None)
    if refused:
        message = f"'{document.file.path}' would be encrypted for a key of type '{refused.kind}', which is not allowed"
        raise RefusedError(
            "ET604", message, "add its type to 'secrets.key_types' in organization.yaml, or use another key"
        )
    all_keys = readers.all_keys
    return _RecipientChange(
        RecipientKeys.of((key.kind, spelling) for spelling, key in missing),
        RecipientKeys.of((recipient.kind, recipient.value) for recipient in surplus),
        tuple(sorted(key.person for _, key in missing)),
        tuple(
            all_keys[spelling].person
            if (spelling := normalize_public_key(recipient.value)) in all_keys
            else printable_key(recipient.kind, spelling)
            for recipient in surplus
        ),
    )


def _check_recipients(before: SopsDocument, after: SopsDocument, change: _RecipientChange) -> None:
    """Require a new data key, and the recipients that `change` leads to."""
    expected = (_recipient_identities(before.file.recipients) | {*change.add.age, *change.add.pgp}) - {
        *map(normalize_public_key, (*change.remove.age, *change.remove.pgp))
    }
    unchanged = {recipient.wrapped_data_key for recipient in before.file.recipients} & {
        recipient.wrapped_data_key for recipient in after.file.recipients
    }
    if unchanged or _recipient_identities(after.file.recipients) != expected:
        raise DecryptError("ET611", f"sops did not give '{before.file.path}' a new data key for its readers")


def _recipient_identities(recipients: tuple[Recipient, ...]) -> set[str]:
    return {normalize_public_key(recipient.value) for recipient in recipients}
