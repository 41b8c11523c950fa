"""Who may read secrets: the people that a project, or the organization for it, declares as readers."""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from envtree.frontend.bech32 import is_bech32
from envtree.model.fields import field, mapping, texts
from envtree.model.nodes import Document
from envtree.model.secrets_file import age_kind
from envtree.model.span import Span
from envtree.model.workspace import Workspace

_FORM = re.compile(r"ssh-[a-z0-9]+ [A-Za-z0-9+/=]+|[0-9A-F]{40}|[0-9A-F]{64}")


class Key(NamedTuple):
    """A public key of a person; `kind` is that of a recipient: `age`, `age-ssh`, `age-plugin` or `pgp`."""

    person: str
    kind: str
    text: str
    span: Span


class Readers(NamedTuple):
    """The keys of the declared readers, and of everybody, by their one spelling; `span` is the place of the list.

    They are not `sure` where a name or a key was wrong: what follows from that is no second mistake.
    """

    span: Span
    declared: Mapping[str, Key]
    everybody: Mapping[str, Key]
    sure: bool


def readers_of(workspace: Workspace, project: str) -> Readers | None:
    """The declared readers of the secrets of a project, or of all that is in none; None where none are declared."""
    own = next((one.document for one in workspace.projects if one.name == project), None)
    return readers(own, workspace.organization.document)


def readers(project: Document | None, organization: Document) -> Readers | None:
    """The declared readers of a project's secrets; None where no readers are declared."""
    declarations = ((document, field(document, "secret_readers")) for document in (project, organization))
    document, declared = next((found for found in declarations if found[1]), (None, None))
    if document is None or declared is None:
        return None
    names = {str(name.value) for name in texts(declared)}
    known = everybody(organization)
    own = {spelling: key for spelling, key in known.items() if key.person in names}
    people = mapping(field(organization, "people"))
    sure = names.issubset(people.entries if people else ()) and all(map(is_whole, own.values()))
    return Readers(document.span(declared), own, known, sure)


def everybody(organization: Document) -> dict[str, Key]:
    """The keys of all people, by their one spelling."""
    return {identity(key.text): key for key in keys(organization)}


def is_whole(key: Key) -> bool:
    """Whether a key has the form of a public key; that of an age recipient has a checksum, too."""
    if key.text.startswith("age1"):
        return is_bech32(key.text)
    return _FORM.fullmatch(identity(key.text)) is not None


def keys(organization: Document) -> Iterator[Key]:
    """Every key of every person, as it is written."""
    people = mapping(field(organization, "people"))
    for name, node in people.entries.items() if people else ():
        person = mapping(node)
        for listed in ("age", "pgp"):
            for one in texts(person.entries.get(listed) if person else None):
                key = str(one.value)
                kind = age_kind(identity(key)) if listed == "age" else listed
                yield Key(name, kind, key, organization.span(one))


def identity(recipient: str) -> str:
    """One spelling for one key: a fingerprint without blanks in capitals, an SSH key without its comment."""
    if recipient.startswith("ssh-"):
        return " ".join(recipient.split()[:2])
    return recipient if recipient.startswith("age1") else recipient.replace(" ", "").upper()
