"""Who may read secrets: the people that a project, or the organization for it, declares as readers."""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from envtree.frontend.bech32 import is_bech32
from envtree.model.diagnostic import Diagnostic, Diagnostics
from envtree.model.fields import as_mapping, get_field, get_text_scalars
from envtree.model.nodes import Document
from envtree.model.secrets_file import age_recipient_kind
from envtree.model.span import Span
from envtree.model.tree_layout import escape_unprintable
from envtree.model.workspace import Workspace


def check_people_keys(organization: Document, diags: Diagnostics) -> None:
    """Report each age recipient whose checksum does not match."""
    for key in iter_public_keys(organization):
        # What has another form has been told by the schema.
        if key.text.startswith("age1") and key.text.isalnum() and not is_well_formed_key(key):
            message = f"'people.{escape_unprintable(key.person)}.age' holds a key whose checksum does not match"
            hint = "copy it again, all of it, as 'age-keygen' has printed it"
            diags.add(Diagnostic(key.span, "ET205", message, hint, key=f"people.{key.person}.age"))


_KEY_PATTERN = re.compile(r"ssh-[a-z0-9]+ [A-Za-z0-9+/=]+|[0-9A-F]{40}|[0-9A-F]{64}")


class PublicKey(NamedTuple):
    """A public key of a person; `kind` is that of a recipient: `age`, `age-ssh`, `age-plugin` or `pgp`."""

    person: str
    kind: str
    text: str
    span: Span


class DeclaredReaders(NamedTuple):
    """The keys of the declared readers, and of everybody, by their one spelling; `span` is the place of the list.

    They are not `sure` where a name or a key was wrong: what follows from that is no second mistake.
    """

    span: Span
    declared: Mapping[str, PublicKey]
    all_keys: Mapping[str, PublicKey]
    is_reliable: bool


def project_readers(workspace: Workspace, project: str) -> DeclaredReaders | None:
    """The declared readers of the secrets of a project, or of all that is in none; None where none are declared."""
    own = next((one.document for one in workspace.projects if one.name == project), None)
    return find_declared_readers(own, workspace.organization.document)


def find_declared_readers(project: Document | None, organization: Document) -> DeclaredReaders | None:
    """The declared readers of a project's secrets; None where no readers are declared."""
    declarations = ((document, get_field(document, "secret_readers")) for document in (project, organization))
    document, declared = next((found for found in declarations if found[1]), (None, None))
    if document is None or declared is None:
        return None
    names = {str(name.value) for name in get_text_scalars(declared)}
    known = index_public_keys(organization)
    own = {spelling: key for spelling, key in known.items() if key.person in names}
    people = as_mapping(get_field(organization, "people"))
    sure = names.issubset(people.entries if people else ()) and all(map(is_well_formed_key, own.values()))
    return DeclaredReaders(document.span(declared), own, known, sure)


def index_public_keys(organization: Document) -> dict[str, PublicKey]:
    """The keys of all people, by their one spelling."""
    return {normalize_public_key(key.text): key for key in iter_public_keys(organization)}


def is_well_formed_key(key: PublicKey) -> bool:
    """Whether a key has the form of a public key; that of an age recipient has a checksum, too."""
    if key.text.startswith("age1"):
        return is_bech32(key.text)
    return _KEY_PATTERN.fullmatch(normalize_public_key(key.text)) is not None


def iter_public_keys(organization: Document) -> Iterator[PublicKey]:
    """Every key of every person, as it is written."""
    people = as_mapping(get_field(organization, "people"))
    for name, node in people.entries.items() if people else ():
        person = as_mapping(node)
        for listed in ("age", "pgp"):
            for one in get_text_scalars(person.entries.get(listed) if person else None):
                key = str(one.value)
                kind = age_recipient_kind(normalize_public_key(key)) if listed == "age" else listed
                yield PublicKey(name, kind, key, organization.span(one))


def normalize_public_key(recipient: str) -> str:
    """One spelling for one key: a fingerprint without blanks in capitals, an SSH key without its comment."""
    if recipient.startswith("ssh-"):
        return " ".join(recipient.split()[:2])
    return recipient if recipient.startswith("age1") else recipient.replace(" ", "").upper()
