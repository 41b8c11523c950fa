"""A diff as JSON data, as `schema/output/diff.schema.json` describes it."""

from typing import Any

from envtree.diagnostics.finding_json import finding_data
from envtree.queries.diff.model import BundleChange, Cause, Change, Diff, Reader, RuleChange, SecretsFileChange


def diff_data(diff: Diff, protected: tuple[str, ...]) -> dict[str, Any]:
    """All that differs; `protected` are the bundles that differ and must not."""
    return {
        "envtree": "1",
        "base": _side(diff.base, diff.base_commit),
        "head": _side(diff.head, diff.head_commit),
        "summary": {
            "bundles": diff.total,
            "changed": len(diff.changed),
            "unchanged": diff.unchanged,
            "added": len(diff.ids("added")),
            "removed": len(diff.ids("removed")),
            "not_compared": len(diff.spoiled),
        },
        "environments": list(diff.environments),
        "changes": [_change(change) for change in diff.changes],
        "bundles": [_bundle(one) for one in diff.bundles],
        "errors": diff.errors,
        "not_compared": list(diff.spoiled),
        "protected": list(protected),
        "secrets": [_secrets_file(file) for file in diff.secrets],
        "rules": [_rule(rule) for rule in diff.rules],
        "findings": {
            "new": [finding_data(finding) for finding in diff.new],
            "gone": [finding_data(finding) for finding in diff.gone],
        },
    }


def _side(name: str, commit: str) -> dict[str, Any]:
    return {"name": name, "commit": commit or None}


def _change(change: Change) -> dict[str, Any]:
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
        "causes": [_cause(cause) for cause in change.causes],
    }


def _cause(cause: Cause) -> dict[str, Any]:
    return {"path": cause.path, "line": cause.line, "action": cause.action}


def _bundle(bundle: BundleChange) -> dict[str, Any]:
    return {"id": bundle.id, "kind": bundle.kind, "causes": [_cause(cause) for cause in bundle.causes]}


def _secrets_file(file: SecretsFileChange) -> dict[str, Any]:
    return {
        "path": file.path,
        "kind": file.kind,
        "keys": [{"key": leaf.key, "kind": leaf.kind, "line": leaf.line} for leaf in file.leaves],
        "readers_added": [_reader(reader) for reader in file.readers_added],
        "readers_removed": [_reader(reader) for reader in file.readers_removed],
        "reencrypted": file.reencrypted,
        "rolled_back": file.rolled_back,
        "copied_from": file.copied_from or None,
        "moved": file.moved,
    }


def _reader(reader: Reader) -> dict[str, Any]:
    return {"kind": reader.kind, "key": reader.key, "person": reader.person or None}


def _rule(rule: RuleChange) -> dict[str, Any]:
    return {"rule": rule.rule, "name": rule.name, "kind": rule.kind, "path": rule.path, "line": rule.line}
