"""Who may read secrets: the people that a project, or the organization for it, declares as readers."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from envtree.fields import field, mapping, texts
from envtree.node import Document
from envtree.span import Span


class Key(NamedTuple):
    """A public key of a person: an age recipient, an SSH key or a PGP fingerprint."""

    person: str
    text: str
    span: Span


class Readers(NamedTuple):
    """The keys of the declared readers, and of everybody, by their one spelling; `span` is the place of the list."""

    span: Span
    declared: Mapping[str, Key]
    everybody: Mapping[str, Key]


def readers(project: Document | None, organization: Document) -> Readers | None:
    """The declared readers of a project's secrets; None where no readers are declared."""
    declarations = ((document, field(document, "secret_readers")) for document in (project, organization))
    document, declared = next((found for found in declarations if found[1]), (None, None))
    if document is None or declared is None:
        return None
    names = {str(name.value) for name in texts(declared)}
    known = everybody(organization)
    own = {spelling: key for spelling, key in known.items() if key.person in names}
    return Readers(document.span(declared), own, known)


def everybody(organization: Document) -> dict[str, Key]:
    """The keys of all people, by their one spelling."""
    return {identity(key.text): key for key in _keys(organization)}


def _keys(organization: Document) -> Iterator[Key]:
    people = mapping(field(organization, "people"))
    for name, node in people.entries.items() if people else ():
        person = mapping(node)
        for kind in ("age", "pgp"):
            for key in texts(person.entries.get(kind) if person else None):
                yield Key(name, str(key.value), organization.span(key))


def identity(recipient: str) -> str:
    """One spelling for one key: a fingerprint without blanks in capitals, an SSH key without its comment."""
    if recipient.startswith("ssh-"):
        return " ".join(recipient.split()[:2])
    return recipient if recipient.startswith("age1") else recipient.replace(" ", "").upper()
