"""The recipients of a file as people: by the name under which their key is declared."""

from collections.abc import Mapping
from typing import NamedTuple

from envtree.frontend.link.declared_readers import PublicKey, normalize_public_key
from envtree.model.secrets_file import PERSONAL_KEY_KINDS, Recipient, printable_key

_SHOWN_LENGTH = 12


class KeyHolder(NamedTuple):
    """A key that opens a file; `person` is empty if nobody has declared it, and for a service."""

    person: str
    kind: str
    key: str
    group: int

    @property
    def name(self) -> str:
        """The person, or what there is to tell a key by."""
        return self.person or (f"{self.kind}:{self.key}" if self.kind not in PERSONAL_KEY_KINDS else self.key)

    @property
    def label(self) -> str:
        """The name, cut to what fits into a table."""
        return (
            self.name
            if self.person or len(self.name) <= 2 * _SHOWN_LENGTH
            else f"{self.name[:_SHOWN_LENGTH]}…{self.name[-6:]}"
        )


def find_key_holder(recipient: Recipient, people: Mapping[str, PublicKey]) -> KeyHolder:
    """Whose key a recipient is."""
    key = normalize_public_key(recipient.value) if recipient.kind in PERSONAL_KEY_KINDS else recipient.value
    known = people.get(key) if recipient.kind in PERSONAL_KEY_KINDS else None
    return KeyHolder(known.person if known else "", recipient.kind, printable_key(recipient.kind, key), recipient.group)
