"""Check secrets files against the organization: kinds of keys, services, readers, scope, and lengths of values."""

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

# Shorter values can be guessed by hand.
_MIN_LENGTH = 4
# The paths of directive switches, which are not secrets.
_SWITCH_PATH = re.compile(r"(?:^|\.)\$(?:delete|lock|expect)$")


def check_secrets_policy(
    secrets_file: SecretsFile, policy: SecretsPolicy, organization: Document, diags: Diagnostics
) -> None:
    """Report the keys and services of a file that the organization does not allow."""
    allowed = _related_setting(organization, "key_types", "the allowed types")
    diags.extend(
        _key_type_finding(recipient, policy, allowed)
        for recipient in secrets_file.recipients
        if recipient.kind not in policy.key_types
    )
    allowed = _related_setting(organization, "endpoints", "the allowed endpoints")
    for endpoint in secrets_file.endpoints:
        if endpoint.kind in policy.key_types and not policy.allows_endpoint(endpoint):
            message = f"the file is encrypted with '{endpoint.kind}' at an endpoint that is not allowed"
            hint = "add the endpoint, or what stands before one of its '/', to 'secrets.endpoints' in organization.yaml"
            diags.add(Diagnostic(endpoint.span, "ET605", message, hint, related=allowed))


def check_readers(
    secrets_file: SecretsFile, policy: SecretsPolicy, readers: DeclaredReaders, diags: Diagnostics
) -> None:
    """Report recipients that are not declared readers, and readers that are not recipients.

    Only personal keys count; services are checked by their endpoints.
    """
    people = [recipient for recipient in secrets_file.recipients if recipient.kind in PERSONAL_KEY_KINDS]
    for recipient in people:
        if recipient.kind in policy.key_types and normalize_public_key(recipient.value) not in readers.declared:
            diags.add(_undeclared_recipient_finding(recipient, secrets_file, readers))
    present = {normalize_public_key(recipient.value) for recipient in people}
    missing = [key for normalized, key in sorted(readers.declared.items()) if normalized not in present]
    if missing:
        names = ", ".join(f"'{name}'" for name in sorted({key.person for key in missing}))
        message = f"the file is not encrypted for its {'readers' if ',' in names else 'reader'} {names}"
        related = [RelatedSpan(key.span, f"the key of '{key.person}'") for key in missing]
        hint = _rotate_hint(secrets_file)
        diags.add(
            Diagnostic(
                secrets_file.span, "ET609", message, hint, related=(RelatedSpan(readers.span, "the readers"), *related)
            )
        )


def check_scope(secrets_file: SecretsFile, policy: SecretsPolicy, diags: Diagnostics) -> None:
    """Report a `_scope` that is missing or has the wrong length; comparing its text would need a key."""
    if secrets_file.scope is None:
        code = "ET608" if policy.require_scope else "ET650"
        message = f"'{secrets_file.path}' has no '{SCOPE_KEY}' that says where it belongs"
        hint = "'envtree secrets sync' adds it, with a key that opens the file"
        diags.add(Diagnostic(secrets_file.scope_span, code, message, hint, key=SCOPE_KEY))
    elif secrets_file.scope.length != len(secrets_file.expected_scope.encode()):
        message = f"'{SCOPE_KEY}' does not say '{secrets_file.expected_scope}': the file belongs to another place"
        scope = secrets_file.expected_scope
        hint = f"if it belongs here, set '{SCOPE_KEY}' to '{scope}' with 'envtree secrets edit {secrets_file.path}'"
        diags.add(Diagnostic(secrets_file.scope_span, "ET608", message, hint, key=SCOPE_KEY))


def check_value_lengths(secrets_file: SecretsFile, diags: Diagnostics) -> None:
    """Report secrets that can be guessed from their length, which is visible without a key."""
    for leaf in iter_scalars(secrets_file.content):
        if not isinstance(leaf.value, EncryptedValue) or _SWITCH_PATH.search(leaf.value.path):
            continue
        if leaf.value.type == "bool":
            problem = "is true or false, and its length tells which"
        elif leaf.value.length < _MIN_LENGTH:
            problem = f"has {leaf.value.length} {'byte' if leaf.value.length == 1 else 'bytes'}, as everybody can see"
        else:
            continue
        message = f"'{leaf.value.path}' {problem}"
        hint = "make it longer; or take it out of the secrets, if it may be known"
        diags.add(Diagnostic(Span(secrets_file.path, *leaf.mark), "ET655", message, hint, key=leaf.value.path))


def _related_setting(organization: Document, key: str, note: str) -> tuple[RelatedSpan, ...]:
    """Return the setting of organization.yaml that a file violates as a related location, if it is written there."""
    node = get_field(organization, "secrets", key)
    return (RelatedSpan(organization.span(node), note),) if node else ()


def _key_type_finding(recipient: Recipient, policy: SecretsPolicy, related: tuple[RelatedSpan, ...]) -> Diagnostic:
    allowed = ", ".join(f"'{kind}'" for kind in sorted(policy.key_types)) or "none"
    message = f"the file is encrypted for a key of type '{recipient.kind}', allowed: {allowed}"
    hint = "remove the key, or add its type to 'secrets.key_types' in organization.yaml"
    return Diagnostic(recipient.span, "ET604", message, hint, related=related)


def _undeclared_recipient_finding(
    recipient: Recipient, secrets_file: SecretsFile, readers: DeclaredReaders
) -> Diagnostic:
    public_key: PublicKey | None = readers.all_keys.get(normalize_public_key(recipient.value))
    related = [RelatedSpan(readers.span, "the readers")]
    if public_key is None:
        key = printable_key(recipient.kind, normalize_public_key(recipient.value))
        message = f"the file is encrypted for '{key}', which is no key of its readers"
        hint = f"{_rotate_hint(secrets_file)}, or declare the key in 'people' and 'secret_readers'"
    else:
        message = f"the file is encrypted for '{public_key.person}', who is not among its readers"
        hint = f"{_rotate_hint(secrets_file)}, or add '{public_key.person}' to 'secret_readers'"
        related.append(RelatedSpan(public_key.span, f"the key of '{public_key.person}'"))
    return Diagnostic(recipient.span, "ET609", message, hint, related=tuple(related))


def _rotate_hint(secrets_file: SecretsFile) -> str:
    return f"run 'envtree secrets rotate {secrets_file.path}'"
