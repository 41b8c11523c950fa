"""A diff as JSON data, as `schema/output/diff.schema.json` describes it."""

from typing import Any

from envtree.diagnostics.finding_json import finding_data
from envtree.queries.diff.diff_model import (
    BundleChange,
    Cause,
    Diff,
    RuleChange,
    SecretsFileChange,
    SecretsFileReader,
    ValueChange,
)


def diff_data(diff: Diff, protected: tuple[str, ...]) -> dict[str, Any]:
    """Return the JSON data of a diff; `protected` are the bundles that differ and must not."""
    return {
        "envtree": "1",
        "base": _side_data(diff.base, diff.base_commit),
        "head": _side_data(diff.head, diff.head_commit),
        "summary": {
            "bundles": diff.bundle_count,
            "changed": len(diff.changed),
            "unchanged": diff.unchanged,
            "added": len(diff.bundle_ids("added")),
            "removed": len(diff.bundle_ids("removed")),
            "not_compared": len(diff.not_compared),
        },
        "environments": list(diff.environments),
        "changes": [_change_data(change) for change in diff.changes],
        "bundles": [_bundle_data(bundle) for bundle in diff.bundles],
        "errors": diff.has_errors,
        "not_compared": list(diff.not_compared),
        "protected": list(protected),
        "secrets": [_secrets_file_data(file) for file in diff.secrets],
        "rules": [_rule_data(rule) for rule in diff.rules],
        "findings": {
            "new": [finding_data(finding) for finding in diff.new_findings],
            "gone": [finding_data(finding) for finding in diff.removed_findings],
        },
    }


def _side_data(name: str, commit: str) -> dict[str, Any]:
    return {"name": name, "commit": commit or None}


def _change_data(change: ValueChange) -> dict[str, Any]:
    return {
        "section": change.section,
        "key": change.key,
        "kind": change.kind,
        "old": change.old,
        "new": change.new,
        "old_hidden": change.old_hidden or None,
        "new_hidden": change.new_hidden or None,
        "sensitive": change.sensitive,
        "reencrypted": change.reencrypted,
        "bundles": list(change.bundles),
        "causes": [_cause_data(cause) for cause in change.causes],
    }


def _cause_data(cause: Cause) -> dict[str, Any]:
    return {"path": cause.path, "line": cause.line, "action": cause.action}


def _bundle_data(bundle: BundleChange) -> dict[str, Any]:
    return {"id": bundle.id, "kind": bundle.kind, "causes": [_cause_data(cause) for cause in bundle.causes]}


def _secrets_file_data(file: SecretsFileChange) -> dict[str, Any]:
    return {
        "path": file.path,
        "kind": file.kind,
        "keys": [{"key": leaf.key, "kind": leaf.kind, "line": leaf.line} for leaf in file.leaves],
        "readers_added": [_reader_data(reader) for reader in file.readers_added],
        "readers_removed": [_reader_data(reader) for reader in file.readers_removed],
        "reencrypted": file.reencrypted,
        "rolled_back": file.rolled_back,
        "copied_from": file.copied_from or None,
        "moved": file.moved,
    }


def _reader_data(reader: SecretsFileReader) -> dict[str, Any]:
    return {"kind": reader.kind, "key": reader.key, "person": reader.person or None}


def _rule_data(rule: RuleChange) -> dict[str, Any]:
    return {"rule": rule.rule, "name": rule.name, "kind": rule.kind, "path": rule.path, "line": rule.line}
