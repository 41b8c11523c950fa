"""What an organization allows of its secrets files: kinds of keys, services, readers, and where a file belongs."""

import re

from envtree.frontend.link.declared_readers import DeclaredReaders, PublicKey, normalize_public_key
from envtree.model.diagnostic import Diagnostic, Diagnostics, RelatedSpan
from envtree.model.fields import get_field
from envtree.model.nodes import Document, EncryptedValue, iter_scalars
from envtree.model.secrets_file import (
    PERSONAL_KEY_KINDS,
    SCOPE_KEY,
    Recipient,
    SecretsFile,
    SecretsPolicy,
    printable_key,
)
from envtree.model.span import Span

# What can be tried out by hand.
_MIN_LENGTH = 4
# The switches of directives are no secrets.
_SWITCH_PATH = re.compile(r"(?:^|\.)\$(?:delete|lock|expect)$")


def check_secrets_policy(
    sealed: SecretsFile, policy: SecretsPolicy, organization: Document, diags: Diagnostics
) -> None:
    """Report every key and service of a file that the organization does not allow."""
    allowed = _related_setting(organization, "key_types", "the allowed types")
    diags.extend(_key_type_finding(r, policy, allowed) for r in sealed.recipients if r.kind not in policy.key_types)
    allowed = _related_setting(organization, "endpoints", "the allowed endpoints")
    for endpoint in sealed.endpoints:
        if endpoint.kind in policy.key_types and not policy.allows_endpoint(endpoint):
            message = f"the file is encrypted with '{endpoint.kind}' at an endpoint that is not allowed"
            hint = "add the endpoint, or what stands before one of its '/', to 'secrets.endpoints' in organization.yaml"
            diags.add(Diagnostic(endpoint.span, "ET605", message, hint, allowed))


def check_readers(sealed: SecretsFile, policy: SecretsPolicy, readers: DeclaredReaders, diags: Diagnostics) -> None:
    """Report recipients that are no declared readers, and readers that are no recipients.

    Only recipients that are people count; services are the endpoints' matter.
    """
    people = [r for r in sealed.recipients if r.kind in PERSONAL_KEY_KINDS]
    for recipient in people:
        if recipient.kind in policy.key_types and normalize_public_key(recipient.value) not in readers.declared:
            diags.add(_undeclared_recipient_finding(recipient, sealed, readers))
    present = {normalize_public_key(recipient.value) for recipient in people}
    missing = [key for spelling, key in sorted(readers.declared.items()) if spelling not in present]
    if missing:
        names = ", ".join(f"'{name}'" for name in sorted({key.person for key in missing}))
        message = f"the file is not encrypted for its {'readers' if ',' in names else 'reader'} {names}"
        related = [RelatedSpan(key.span, f"the key of '{key.person}'") for key in missing]
        hint = _rotate_hint(sealed)
        diags.add(Diagnostic(sealed.span, "ET609", message, hint, (RelatedSpan(readers.span, "the readers"), *related)))


def check_scope(sealed: SecretsFile, policy: SecretsPolicy, diags: Diagnostics) -> None:
    """Report a `_scope` that is missing, or too long or too short to be true; its text needs a key to be compared."""
    if sealed.scope is None:
        code = "ET608" if policy.require_scope else "ET650"
        message = f"'{sealed.path}' has no '{SCOPE_KEY}' that says where it belongs"
        hint = "'envtree secrets sync' adds it, with a key that opens the file"
        diags.add(Diagnostic(sealed.scope_span, code, message, hint, key=SCOPE_KEY))
    elif sealed.scope.length != len(sealed.expected_scope.encode()):
        message = f"'{SCOPE_KEY}' does not say '{sealed.expected_scope}': the file belongs to another place"
        scope = sealed.expected_scope
        hint = f"if it belongs here, set '{SCOPE_KEY}' to '{scope}' with 'envtree secrets edit {sealed.path}'"
        diags.add(Diagnostic(sealed.scope_span, "ET608", message, hint, key=SCOPE_KEY))


def check_value_lengths(sealed: SecretsFile, diags: Diagnostics) -> None:
    """Report secrets that their length gives away; it shows in clear."""
    for leaf in iter_scalars(sealed.content):
        if not isinstance(leaf.value, EncryptedValue) or _SWITCH_PATH.search(leaf.value.path):
            continue
        if leaf.value.type == "bool":
            what = "is true or false, and its length tells which"
        elif leaf.value.length < _MIN_LENGTH:
            what = f"has {leaf.value.length} {'byte' if leaf.value.length == 1 else 'bytes'}, as everybody can see"
        else:
            continue
        message = f"'{leaf.value.path}' {what}"
        hint = "make it longer; or take it out of the secrets, if it may be known"
        diags.add(Diagnostic(Span(sealed.path, *leaf.mark), "ET655", message, hint, key=leaf.value.path))


def _related_setting(organization: Document, key: str, words: str) -> tuple[RelatedSpan, ...]:
    """The place in organization.yaml that allows less than a file asks for, if anything is written there."""
    node = get_field(organization, "secrets", key)
    return (RelatedSpan(organization.span(node), words),) if node else ()


def _key_type_finding(recipient: Recipient, policy: SecretsPolicy, related: tuple[RelatedSpan, ...]) -> Diagnostic:
    allowed = ", ".join(f"'{kind}'" for kind in sorted(policy.key_types)) or "none"
    message = f"the file is encrypted for a key of type '{recipient.kind}', allowed: {allowed}"
    hint = "remove the key, or add its type to 'secrets.key_types' in organization.yaml"
    return Diagnostic(recipient.span, "ET604", message, hint, related)


def _undeclared_recipient_finding(recipient: Recipient, sealed: SecretsFile, readers: DeclaredReaders) -> Diagnostic:
    known: PublicKey | None = readers.all_keys.get(normalize_public_key(recipient.value))
    related = [RelatedSpan(readers.span, "the readers")]
    if known is None:
        key = printable_key(recipient.kind, normalize_public_key(recipient.value))
        message = f"the file is encrypted for '{key}', which is no key of its readers"
        hint = f"{_rotate_hint(sealed)}, or declare the key in 'people' and 'secret_readers'"
    else:
        message = f"the file is encrypted for '{known.person}', who is not among its readers"
        hint = f"{_rotate_hint(sealed)}, or add '{known.person}' to 'secret_readers'"
        related.append(RelatedSpan(known.span, f"the key of '{known.person}'"))
    return Diagnostic(recipient.span, "ET609", message, hint, tuple(related))


def _rotate_hint(sealed: SecretsFile) -> str:
    return f"run 'envtree secrets rotate {sealed.path}'"
