"""The recipients of a file as people: by the name under which their key is declared."""

from collections.abc import Mapping
from typing import NamedTuple

from envtree.frontend.link.readers import Key, identity
from envtree.model.secrets_file import PERSONAL, Recipient, shown_key

_SHOWN = 12


class Reader(NamedTuple):
    """A key that opens a file; `person` is empty if nobody has declared it, and for a service."""

    person: str
    kind: str
    key: str
    group: int

    @property
    def name(self) -> str:
        """The person, or what there is to tell a key by."""
        return self.person or (f"{self.kind}:{self.key}" if self.kind not in PERSONAL else self.key)

    @property
    def label(self) -> str:
        """The name, cut to what fits into a table."""
        return self.name if self.person or len(self.name) <= 2 * _SHOWN else f"{self.name[:_SHOWN]}…{self.name[-6:]}"


def reader(recipient: Recipient, people: Mapping[str, Key]) -> Reader:
    """Whose key a recipient is."""
    key = identity(recipient.value) if recipient.kind in PERSONAL else recipient.value
    known = people.get(key) if recipient.kind in PERSONAL else None
    return Reader(known.person if known else "", recipient.kind, shown_key(recipient.kind, key), recipient.group)
