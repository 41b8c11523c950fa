"""A diff as JSON data, as `schema/output/diff.schema.json` describes it."""

from typing import Any

from envtree.diff.model import BundleChange, Cause, Change, Diff, RuleChange, SecretsFileChange
from envtree.report.json import finding_data


def diff_data(diff: Diff, protected: tuple[str, ...]) -> dict[str, Any]:
    """All that differs; `protected` are the bundles that differ and must not."""
    return {
        "envtree": "1",
        "base": diff.base,
        "head": diff.head,
        "summary": {
            "bundles": diff.unchanged + len(diff.touched),
            "changed": len(diff.changed),
            "unchanged": diff.unchanged,
            "added": len(diff.ids("added")),
            "removed": len(diff.ids("removed")),
            "not_compared": len(diff.spoiled),
        },
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


def _change(change: Change) -> dict[str, Any]:
    return {
        "section": change.section,
        "key": change.key,
        "kind": change.kind,
        "old": change.old,
        "new": change.new,
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
        "recipients_added": list(file.recipients_added),
        "recipients_removed": list(file.recipients_removed),
        "reencrypted": file.reencrypted,
        "rolled_back": file.rolled_back,
    }


def _rule(rule: RuleChange) -> dict[str, Any]:
    return {"rule": rule.rule, "name": rule.name, "kind": rule.kind, "path": rule.path, "line": rule.line}
