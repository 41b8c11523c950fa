"""A diff out of its JSON data, which may be a stranger's: it is what the schema says, or nothing."""

from collections.abc import Sequence
from typing import Any

import orjson

from envtree.diagnostics.findings import Finding
from envtree.frontend.schemas import Schemas
from envtree.model.diagnostic import Diagnostic, Related, Severity
from envtree.model.span import Span
from envtree.queries.diff.model import (
    BundleChange,
    Cause,
    Change,
    Diff,
    LeafChange,
    Reader,
    RuleChange,
    SecretsFileChange,
)

_Lists = dict[tuple[str, ...], tuple[str, ...]]


class NoAnswerError(Exception):
    """What was saved is no answer of `envtree diff`."""


def restored(saved: bytes) -> tuple[Diff, tuple[str, ...]]:
    """The diff, and the protected bundles among those that differ; raises NoAnswerError."""
    try:
        data = orjson.loads(saved)
        # What cannot be written again, such as a value that is nested too deep, cannot be told either.
        orjson.dumps(data)
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        raise NoAnswerError from None
    if not Schemas().is_valid("output/diff", data):
        raise NoAnswerError
    return _diff(data), tuple(data["protected"])


def _diff(data: dict[str, Any]) -> Diff:
    # Changes with the same bundles, which can be thousands, share one list of them.
    lists: _Lists = {}
    return Diff(
        base=data["base"]["name"],
        head=data["head"]["name"],
        base_commit=data["base"]["commit"] or "",
        head_commit=data["head"]["commit"] or "",
        environments=tuple(data["environments"]),
        changes=tuple(_change(one, lists) for one in data["changes"]),
        bundles=tuple(BundleChange(one["id"], one["kind"], _causes(one["causes"])) for one in data["bundles"]),
        unchanged=data["summary"]["unchanged"],
        spoiled=tuple(data["not_compared"]),
        secrets=tuple(map(_secrets_file, data["secrets"])),
        rules=tuple(RuleChange(**one) for one in data["rules"]),
        new=tuple(map(_finding, data["findings"]["new"])),
        gone=tuple(map(_finding, data["findings"]["gone"])),
        errors=data["errors"],
    )


def _change(one: dict[str, Any], lists: _Lists) -> Change:
    bundles = tuple(one["bundles"])
    return Change(
        **one
        | {
            "old_hidden": one["old_hidden"] or "",
            "new_hidden": one["new_hidden"] or "",
            "bundles": lists.setdefault(bundles, bundles),
            "causes": _causes(one["causes"]),
        }
    )


def _causes(data: Sequence[dict[str, Any]]) -> tuple[Cause, ...]:
    return tuple(Cause(**one) for one in data)


def _secrets_file(one: dict[str, Any]) -> SecretsFileChange:
    return SecretsFileChange(
        path=one["path"],
        kind=one["kind"],
        leaves=tuple(LeafChange(**leaf) for leaf in one["keys"]),
        readers_added=_readers(one["readers_added"]),
        readers_removed=_readers(one["readers_removed"]),
        reencrypted=one["reencrypted"],
        rolled_back=one["rolled_back"],
        copied_from=one["copied_from"] or "",
        moved=one["moved"],
    )


def _readers(data: Sequence[dict[str, Any]]) -> tuple[Reader, ...]:
    return tuple(Reader(one["kind"], one["key"], one["person"] or "") for one in data)


def _finding(one: dict[str, Any]) -> Finding:
    related = tuple(Related(_span(each), each["message"]) for each in one["related"])
    words = (one["code"], one["message"], one["hint"] or "")
    diagnostic = Diagnostic(_span(one), *words, related, one["key"] or "")
    return Finding(diagnostic, Severity(one["severity"]), tuple(one["bundles"]))


def _span(one: dict[str, Any]) -> Span:
    line, column = one["line"] or 0, one["column"] or 0
    return Span(one["path"] or "", line, column, one.get("end_line") or line, one.get("end_column") or column)
