"""Read a diff from its JSON data, which may come from an untrusted source: valid by the schema, or rejected."""

from collections.abc import Sequence
from typing import Any

import orjson

from envtree.diagnostics.findings import Finding
from envtree.frontend.schemas import Schemas
from envtree.model.diagnostic import Diagnostic, RelatedSpan, Severity
from envtree.model.span import Span
from envtree.queries.diff.diff_model import (
    BundleChange,
    Cause,
    Diff,
    LeafChange,
    RuleChange,
    SecretsFileChange,
    SecretsFileReader,
    ValueChange,
)

_SharedLists = dict[tuple[str, ...], tuple[str, ...]]


class InvalidDiffError(Exception):
    """The data is not the output of `envtree diff`."""


def parse_diff(content: bytes) -> tuple[Diff, tuple[str, ...]]:
    """Return the diff, and the protected bundles among those that differ; raises InvalidDiffError."""
    try:
        data = orjson.loads(content)
        # Data that cannot be written again, such as a value that is nested too deep, cannot be rendered either.
        orjson.dumps(data)
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        raise InvalidDiffError from None
    if not Schemas().is_valid("output/diff", data):
        raise InvalidDiffError
    return _diff_from_json(data), tuple(data["protected"])


def _diff_from_json(data: dict[str, Any]) -> Diff:
    # Changes with the same bundles, which can be thousands, share one list of them.
    shared_lists: _SharedLists = {}
    return Diff(
        base=data["base"]["name"],
        head=data["head"]["name"],
        base_commit=data["base"]["commit"] or "",
        head_commit=data["head"]["commit"] or "",
        environments=tuple(data["environments"]),
        changes=tuple(_change_from_json(change, shared_lists) for change in data["changes"]),
        bundles=tuple(
            BundleChange(bundle["id"], bundle["kind"], _causes_from_json(bundle["causes"]))
            for bundle in data["bundles"]
        ),
        unchanged=data["summary"]["unchanged"],
        not_compared=tuple(data["not_compared"]),
        secrets=tuple(map(_secrets_file_from_json, data["secrets"])),
        rules=tuple(RuleChange(**rule) for rule in data["rules"]),
        new_findings=tuple(map(_finding_from_json, data["findings"]["new"])),
        removed_findings=tuple(map(_finding_from_json, data["findings"]["gone"])),
        has_errors=data["errors"],
    )


def _change_from_json(data: dict[str, Any], shared_lists: _SharedLists) -> ValueChange:
    bundles = tuple(data["bundles"])
    return ValueChange(
        **data
        | {
            "old_hidden": data["old_hidden"] or "",
            "new_hidden": data["new_hidden"] or "",
            "bundles": shared_lists.setdefault(bundles, bundles),
            "causes": _causes_from_json(data["causes"]),
        }
    )


def _causes_from_json(data: Sequence[dict[str, Any]]) -> tuple[Cause, ...]:
    return tuple(Cause(**cause) for cause in data)


def _secrets_file_from_json(data: dict[str, Any]) -> SecretsFileChange:
    return SecretsFileChange(
        path=data["path"],
        kind=data["kind"],
        leaves=tuple(LeafChange(**leaf) for leaf in data["keys"]),
        readers_added=_readers_from_json(data["readers_added"]),
        readers_removed=_readers_from_json(data["readers_removed"]),
        reencrypted=data["reencrypted"],
        rolled_back=data["rolled_back"],
        copied_from=data["copied_from"] or "",
        moved=data["moved"],
    )


def _readers_from_json(data: Sequence[dict[str, Any]]) -> tuple[SecretsFileReader, ...]:
    return tuple(SecretsFileReader(reader["kind"], reader["key"], reader["person"] or "") for reader in data)


def _finding_from_json(data: dict[str, Any]) -> Finding:
    related = tuple(RelatedSpan(_span_from_json(span), span["message"]) for span in data["related"])
    texts = (data["code"], data["message"], data["hint"] or "")
    diagnostic = Diagnostic(_span_from_json(data), *texts, related, data["key"] or "")
    return Finding(diagnostic, Severity(data["severity"]), tuple(data["bundles"]))


def _span_from_json(data: dict[str, Any]) -> Span:
    line, column = data["line"] or 0, data["column"] or 0
    return Span(data["path"] or "", line, column, data.get("end_line") or line, data.get("end_column") or column)
