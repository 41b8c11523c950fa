"""Convert the audit, the access report and the list of secrets to JSON data, as `schema/output/` describes them."""

from collections.abc import Iterable
from typing import Any

from envtree.diagnostics.finding_json import finding_data
from envtree.secrets.access.access_report import AccessReport, FileReaders, PersonAccess
from envtree.secrets.access.audit import Audit, AuditedFile
from envtree.secrets.access.key_holders import KeyHolder
from envtree.secrets.access.secret_list import ListedSecret


def audit_data(audit: Audit) -> dict[str, Any]:
    """Return an audit as JSON data."""
    return {
        "envtree": "1",
        "files": [_file(file) for file in audit.files],
        "findings": [finding_data(finding) for finding in audit.findings],
        "summary": {
            "files": len(audit.files),
            "other_errors": audit.other_errors,
            "secrets": sum(file.secrets for file in audit.files),
        },
    }


def access_data(access: AccessReport) -> dict[str, Any]:
    """Return an access report as JSON data."""
    return {
        "envtree": "1",
        "files": [_readers(file) for file in access.files],
        "people": [_person(person) for person in access.people],
    }


def secret_list_data(secrets: Iterable[ListedSecret]) -> dict[str, Any]:
    """Return a list of secrets as JSON data."""
    return {"envtree": "1", "secrets": [_listed_secret(secret) for secret in secrets]}


def _listed_secret(secret: ListedSecret) -> dict[str, Any]:
    injections = [
        {"name": injection.name, "path": injection.span.path, "line": injection.span.line}
        for injection in secret.injections
    ]
    return {
        "file": secret.file,
        "path": secret.path,
        "type": secret.type,
        "lastmodified": secret.lastmodified,
        "injected_as": injections,
        "bundles": list(secret.bundles),
    }


def _readers(file: FileReaders) -> dict[str, Any]:
    return {
        "path": file.path,
        "recipients": [recipient_data(holder) for holder in file.readers],
        "threshold": file.threshold,
        "declared": file.has_declared_readers,
        "strangers": list(file.undeclared),
        "missing": list(file.missing),
    }


def _person(person: PersonAccess) -> dict[str, Any]:
    bundles = [
        {
            "id": id,
            "secrets": [
                {"file": secret.file, "path": secret.path, "alone": secret.file in person.openable_alone}
                for secret in secrets
            ],
        }
        for id, secrets in person.bundles.items()
    ]
    return {"name": person.name, "known": person.is_declared, "files": list(person.files), "bundles": bundles}


def _file(file: AuditedFile) -> dict[str, Any]:
    common: dict[str, Any] = {"path": file.path, "format": file.format, "verdict": file.verdict}
    rule = {"rule": _rule(file), "opened": file.opened}
    if not file.readable:
        unknown = ("recipients", "threshold", "secrets", "lastmodified", "scope")
        return common | dict.fromkeys(unknown) | rule
    return (
        common
        | {
            "recipients": [recipient_data(holder) for holder in file.readers],
            "threshold": file.threshold,
            "secrets": file.secrets,
            "lastmodified": file.lastmodified,
            "scope": file.scope,
        }
        | rule
    )


def _rule(file: AuditedFile) -> dict[str, Any] | None:
    if file.rule is None:
        return None
    rule = file.rule.rule
    return {"path": file.rule.path, "line": rule.span.line if rule else None, "pattern": rule.pattern if rule else None}


def recipient_data(holder: KeyHolder) -> dict[str, Any]:
    """Return a key that opens a file as JSON data."""
    return {"person": holder.person or None, "kind": holder.kind, "key": holder.key, "group": holder.group}
