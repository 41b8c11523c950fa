"""Find the declared readers of secrets: people listed by a project, or else by the organization, and their keys."""

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
        # Keys of another form are reported by the schema check.
        if key.text.startswith("age1") and key.text.isalnum() and not is_well_formed_key(key):
            message = f"'people.{escape_unprintable(key.person)}.age' holds a key whose checksum does not match"
            hint = "copy it again, all of it, as 'age-keygen' has printed it"
            diags.add(Diagnostic(key.span, "ET205", message, hint, key=f"people.{key.person}.age"))


_KEY_PATTERN = re.compile(r"ssh-[a-z0-9]+ [A-Za-z0-9+/=]+|[0-9A-F]{40}|[0-9A-F]{64}")


class PublicKey(NamedTuple):
    """A public key of a person; `kind` is a kind of recipient: `age`, `age-ssh`, `age-plugin` or `pgp`."""

    person: str
    kind: str
    text: str
    span: Span


class DeclaredReaders(NamedTuple):
    """The keys of the declared readers, and those of all people, by their normalized form.

    `span` is the list of readers. `is_reliable` is False if a name or a key is wrong: consequences of that mistake are
    not reported as well.
    """

    span: Span
    declared: Mapping[str, PublicKey]
    all_keys: Mapping[str, PublicKey]
    is_reliable: bool


def project_readers(workspace: Workspace, project: str) -> DeclaredReaders | None:
    """Return the declared readers of a project's secrets, or of those outside of projects; None if undeclared."""
    document = next((candidate.document for candidate in workspace.projects if candidate.name == project), None)
    return find_declared_readers(document, workspace.organization.document)


def find_declared_readers(project: Document | None, organization: Document) -> DeclaredReaders | None:
    """Return the readers that the project, or else the organization, declares; None if neither declares any."""
    declarations = ((document, get_field(document, "secret_readers")) for document in (project, organization))
    document, declared = next((declaration for declaration in declarations if declaration[1]), (None, None))
    if document is None or declared is None:
        return None
    names = {str(name.value) for name in get_text_scalars(declared)}
    all_keys = index_public_keys(organization)
    declared_keys = {normalized: key for normalized, key in all_keys.items() if key.person in names}
    people = as_mapping(get_field(organization, "people"))
    is_reliable = names.issubset(people.entries if people else ()) and all(
        map(is_well_formed_key, declared_keys.values())
    )
    return DeclaredReaders(
        span=document.span(declared), declared=declared_keys, all_keys=all_keys, is_reliable=is_reliable
    )


def index_public_keys(organization: Document) -> dict[str, PublicKey]:
    """Return the keys of all people, by their normalized form."""
    return {normalize_public_key(key.text): key for key in iter_public_keys(organization)}


def is_well_formed_key(key: PublicKey) -> bool:
    """Report whether a key has the form of a public key, and an age recipient a valid checksum."""
    if key.text.startswith("age1"):
        return is_bech32(key.text)
    return _KEY_PATTERN.fullmatch(normalize_public_key(key.text)) is not None


def iter_public_keys(organization: Document) -> Iterator[PublicKey]:
    """Yield every key of every person, as written."""
    people = as_mapping(get_field(organization, "people"))
    for name, node in people.entries.items() if people else ():
        person = as_mapping(node)
        for field in ("age", "pgp"):
            for scalar in get_text_scalars(person.entries.get(field) if person else None):
                key = str(scalar.value)
                kind = age_recipient_kind(normalize_public_key(key)) if field == "age" else field
                yield PublicKey(name, kind, key, organization.span(scalar))


def normalize_public_key(recipient: str) -> str:
    """Return the normalized form of a key: a fingerprint in capitals without blanks, an SSH key without its comment."""
    if recipient.startswith("ssh-"):
        return " ".join(recipient.split()[:2])
    return recipient if recipient.startswith("age1") else recipient.replace(" ", "").upper()
