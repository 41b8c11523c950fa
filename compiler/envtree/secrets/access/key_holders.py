"""Map the recipients of a file to the people under whose names their keys are declared."""

from collections.abc import Mapping
from typing import NamedTuple

from envtree.frontend.link.declared_readers import PublicKey, normalize_public_key
from envtree.model.secrets_file import PERSONAL_KEY_KINDS, Recipient, printable_key

_SHOWN_LENGTH = 12


class KeyHolder(NamedTuple):
    """A key that opens a file; `person` is empty for an undeclared key and for a service."""

    person: str
    kind: str
    key: str
    group: int

    @property
    def name(self) -> str:
        """The person, or else the key, for a service with its kind."""
        return self.person or (f"{self.kind}:{self.key}" if self.kind not in PERSONAL_KEY_KINDS else self.key)

    @property
    def label(self) -> str:
        """The name, shortened for a table."""
        return (
            self.name
            if self.person or len(self.name) <= 2 * _SHOWN_LENGTH
            else f"{self.name[:_SHOWN_LENGTH]}…{self.name[-6:]}"
        )


def find_key_holder(recipient: Recipient, people: Mapping[str, PublicKey]) -> KeyHolder:
    """Return the holder of a recipient's key."""
    key = normalize_public_key(recipient.value) if recipient.kind in PERSONAL_KEY_KINDS else recipient.value
    owner = people.get(key) if recipient.kind in PERSONAL_KEY_KINDS else None
    return KeyHolder(owner.person if owner else "", recipient.kind, printable_key(recipient.kind, key), recipient.group)
