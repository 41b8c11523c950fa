"""What an organization allows of its secrets files: kinds of keys, services, readers, and where a file belongs."""

from envtree.diagnostic import Diagnostic, Diagnostics
from envtree.secret import PERSONAL, SCOPE, Recipient, SealedFile, SecretsPolicy


def check_policy(sealed: SealedFile, policy: SecretsPolicy, readers: frozenset[str] | None, diags: Diagnostics) -> None:
    """Report every key, service and reader of a file that the organization did not ask for.

    `readers` are age recipients and PGP fingerprints; None where no readers are declared.
    """
    diags.extend(_wrong_kind(r, policy) for r in sealed.recipients if r.kind not in policy.key_types)
    for endpoint in sealed.endpoints:
        if endpoint.kind in policy.key_types and not policy.allows(endpoint):
            message = f"the file is encrypted with '{endpoint.kind}' at an endpoint that is not allowed"
            hint = "add the endpoint, or what stands before one of its '/', to 'secrets.endpoints' in organization.yaml"
            diags.add(Diagnostic(endpoint.span, "ET605", message, hint))
    if readers is not None:
        _compare(sealed, policy, readers, diags)


def check_scope(sealed: SealedFile, policy: SecretsPolicy, diags: Diagnostics) -> None:
    """Report a `_scope` that is missing, or too long or too short to be true; its text needs a key to be compared."""
    hint = f"set '{SCOPE}' to '{sealed.home}' with 'sops edit {sealed.path}'"
    if sealed.scope is None:
        code = "ET608" if policy.require_scope else "ET650"
        message = f"'{sealed.path}' has no '{SCOPE}' that says where it belongs"
        diags.add(Diagnostic(sealed.scope_span, code, message, hint, key=SCOPE))
    elif sealed.scope.length != len(sealed.home.encode()):
        message = f"'{SCOPE}' does not say '{sealed.home}': the file belongs to another place"
        diags.add(Diagnostic(sealed.scope_span, "ET608", message, hint, key=SCOPE))


def _wrong_kind(recipient: Recipient, policy: SecretsPolicy) -> Diagnostic:
    allowed = ", ".join(f"'{kind}'" for kind in sorted(policy.key_types)) or "none"
    message = f"the file is encrypted for a key of type '{recipient.kind}', allowed: {allowed}"
    hint = "remove the key, or add its type to 'secrets.key_types' in organization.yaml"
    return Diagnostic(recipient.span, "ET604", message, hint)


def _compare(sealed: SealedFile, policy: SecretsPolicy, readers: frozenset[str], diags: Diagnostics) -> None:
    """Recipients that are people against the declared readers; services are the endpoints' matter."""
    declared = {_identity(reader): reader for reader in readers}
    people = [r for r in sealed.recipients if r.kind in PERSONAL]
    for recipient in people:
        if recipient.kind in policy.key_types and _identity(recipient.value) not in declared:
            message = "the file is encrypted for somebody who is not among its readers"
            hint = "remove the recipient with 'envtree secrets sync', or declare it in 'people' and 'secret_readers'"
            diags.add(Diagnostic(recipient.span, "ET609", message, hint))
    present = {_identity(recipient.value) for recipient in people}
    for identity in sorted(declared.keys() - present):
        message = f"the file is not encrypted for the reader '{declared[identity]}'"
        diags.add(Diagnostic(sealed.span, "ET609", message, "add it with 'envtree secrets sync'"))


def _identity(recipient: str) -> str:
    """One spelling for one key: a fingerprint without blanks in capitals, an SSH key without its comment."""
    if recipient.startswith("ssh-"):
        return " ".join(recipient.split()[:2])
    return recipient if recipient.startswith("age1") else recipient.replace(" ", "").upper()
