"""What an organization allows of its secrets files: kinds of keys, services, readers, and where a file belongs."""

import re

from envtree.frontend.link.readers import Key, Readers, identity
from envtree.model.diagnostic import Diagnostic, Diagnostics, Related
from envtree.model.fields import field
from envtree.model.nodes import Cipher, Document, scalars
from envtree.model.secrets_file import PERSONAL, SCOPE, Recipient, SealedFile, SecretsPolicy, shown_key
from envtree.model.span import Span

# What can be tried out by hand.
_SHORT = 4
# The switches of directives are no secrets.
_DIRECTIVE = re.compile(r"(?:^|\.)\$(?:delete|lock|expect)$")


def check_policy(sealed: SealedFile, policy: SecretsPolicy, organization: Document, diags: Diagnostics) -> None:
    """Report every key and service of a file that the organization does not allow."""
    allowed = _declared(organization, "key_types", "the allowed types")
    diags.extend(_wrong_kind(r, policy, allowed) for r in sealed.recipients if r.kind not in policy.key_types)
    allowed = _declared(organization, "endpoints", "the allowed endpoints")
    for endpoint in sealed.endpoints:
        if endpoint.kind in policy.key_types and not policy.allows(endpoint):
            message = f"the file is encrypted with '{endpoint.kind}' at an endpoint that is not allowed"
            hint = "add the endpoint, or what stands before one of its '/', to 'secrets.endpoints' in organization.yaml"
            diags.add(Diagnostic(endpoint.span, "ET605", message, hint, allowed))


def check_readers(sealed: SealedFile, policy: SecretsPolicy, readers: Readers, diags: Diagnostics) -> None:
    """Report recipients that are no declared readers, and readers that are no recipients.

    Only recipients that are people count; services are the endpoints' matter.
    """
    people = [r for r in sealed.recipients if r.kind in PERSONAL]
    for recipient in people:
        if recipient.kind in policy.key_types and identity(recipient.value) not in readers.declared:
            diags.add(_stranger(recipient, sealed, readers))
    present = {identity(recipient.value) for recipient in people}
    missing = [key for spelling, key in sorted(readers.declared.items()) if spelling not in present]
    if missing:
        names = ", ".join(f"'{name}'" for name in sorted({key.person for key in missing}))
        message = f"the file is not encrypted for its {'readers' if ',' in names else 'reader'} {names}"
        related = [Related(key.span, f"the key of '{key.person}'") for key in missing]
        hint = _rotate(sealed)
        diags.add(Diagnostic(sealed.span, "ET609", message, hint, (Related(readers.span, "the readers"), *related)))


def check_scope(sealed: SealedFile, policy: SecretsPolicy, diags: Diagnostics) -> None:
    """Report a `_scope` that is missing, or too long or too short to be true; its text needs a key to be compared."""
    if sealed.scope is None:
        code = "ET608" if policy.require_scope else "ET650"
        message = f"'{sealed.path}' has no '{SCOPE}' that says where it belongs"
        hint = "'envtree secrets sync' adds it, with a key that opens the file"
        diags.add(Diagnostic(sealed.scope_span, code, message, hint, key=SCOPE))
    elif sealed.scope.length != len(sealed.home.encode()):
        message = f"'{SCOPE}' does not say '{sealed.home}': the file belongs to another place"
        hint = f"if it belongs here, set '{SCOPE}' to '{sealed.home}' with 'envtree secrets edit {sealed.path}'"
        diags.add(Diagnostic(sealed.scope_span, "ET608", message, hint, key=SCOPE))


def check_lengths(sealed: SealedFile, diags: Diagnostics) -> None:
    """Report secrets that their length gives away; it shows in clear."""
    for leaf in scalars(sealed.content):
        if not isinstance(leaf.value, Cipher) or _DIRECTIVE.search(leaf.value.path):
            continue
        if leaf.value.type == "bool":
            what = "is true or false, and its length tells which"
        elif leaf.value.length < _SHORT:
            what = f"has {leaf.value.length} {'byte' if leaf.value.length == 1 else 'bytes'}, as everybody can see"
        else:
            continue
        message = f"'{leaf.value.path}' {what}"
        hint = "make it longer; or take it out of the secrets, if it may be known"
        diags.add(Diagnostic(Span(sealed.path, *leaf.at), "ET655", message, hint, key=leaf.value.path))


def _declared(organization: Document, key: str, words: str) -> tuple[Related, ...]:
    """The place in organization.yaml that allows less than a file asks for, if anything is written there."""
    node = field(organization, "secrets", key)
    return (Related(organization.span(node), words),) if node else ()


def _wrong_kind(recipient: Recipient, policy: SecretsPolicy, related: tuple[Related, ...]) -> Diagnostic:
    allowed = ", ".join(f"'{kind}'" for kind in sorted(policy.key_types)) or "none"
    message = f"the file is encrypted for a key of type '{recipient.kind}', allowed: {allowed}"
    hint = "remove the key, or add its type to 'secrets.key_types' in organization.yaml"
    return Diagnostic(recipient.span, "ET604", message, hint, related)


def _stranger(recipient: Recipient, sealed: SealedFile, readers: Readers) -> Diagnostic:
    known: Key | None = readers.everybody.get(identity(recipient.value))
    related = [Related(readers.span, "the readers")]
    if known is None:
        key = shown_key(recipient.kind, identity(recipient.value))
        message = f"the file is encrypted for '{key}', which is no key of its readers"
        hint = f"{_rotate(sealed)}, or declare the key in 'people' and 'secret_readers'"
    else:
        message = f"the file is encrypted for '{known.person}', who is not among its readers"
        hint = f"{_rotate(sealed)}, or add '{known.person}' to 'secret_readers'"
        related.append(Related(known.span, f"the key of '{known.person}'"))
    return Diagnostic(recipient.span, "ET609", message, hint, tuple(related))


def _rotate(sealed: SealedFile) -> str:
    return f"run 'envtree secrets rotate {sealed.path}'"
