"""The answers about the fleet as JSON data, as `schema/output/` describes them."""

from collections.abc import Iterable, Sequence
from typing import Any

from envtree.diagnostics.finding_json import finding_data
from envtree.diagnostics.findings import Finding
from envtree.queries.explain.to_json import place_data
from envtree.queries.fleet.impact import Impact
from envtree.queries.fleet.matrix import Matrix, Row
from envtree.queries.fleet.parity import Missing, Parity, Types
from envtree.queries.fleet.uses import Use


def impact_data(found: Sequence[Impact]) -> dict[str, Any]:
    """What files feed; `bundles` are those of all files."""
    return {
        "envtree": "1",
        "path": found[0].path if len(found) == 1 else None,
        "bundles": sorted({id for one in found for id in one.bundles}),
        "files": [_file(one) for one in found],
    }


def matrix_data(matrix: Matrix) -> dict[str, Any]:
    """One key over all bundles."""
    return {
        "envtree": "1",
        "key": matrix.key,
        "rows": [_row(row) for row in matrix.rows],
        "missing": list(matrix.missing),
    }


def parity_data(parity: Parity) -> dict[str, Any]:
    """Two environments side by side."""
    return {
        "envtree": "1",
        "environments": list(parity.environments),
        "missing": [_missing(one) for one in parity.missing],
        "types": [_types(one) for one in parity.types],
        "agents": [{"agent": one.agent, "in": one.present, "not_in": one.absent} for one in parity.lone],
        "summary": {"agents": parity.agents},
    }


def unused_data(findings: Iterable[Finding]) -> dict[str, Any]:
    """What a tree could do without."""
    return {"envtree": "1", "findings": [finding_data(finding) for finding in findings]}


def _file(found: Impact) -> dict[str, Any]:
    return {
        "path": found.path,
        "kind": found.kind.value if found.kind else None,
        "relation": found.relation,
        "bundles": list(found.bundles),
        "keys": [_use(one) for one in found.keys],
        "named": [place_data(span) for span in found.named],
        "governs": [{"secrets": path, "rule": place_data(rule)} for path, rule in found.governs],
    }


def _use(use: Use) -> dict[str, Any]:
    shadowed = sorted(use.lost.items(), key=lambda item: (-len(item[1]), item[0]))
    return {
        "key": use.key,
        "line": use.span.line,
        "column": use.span.column,
        "counts": len(use.wins),
        "shadowed": [place_data(span) | {"count": len(numbers)} for span, numbers in shadowed],
    }


def _row(row: Row) -> dict[str, Any]:
    return {
        "value": row.value,
        "sensitive": row.sensitive,
        "unknown": row.unknown,
        "bundles": list(row.bundles),
        "origins": [place_data(span) for span in row.origins],
    }


def _missing(one: Missing) -> dict[str, Any]:
    return {
        "key": one.key,
        "in": one.present,
        "not_in": one.absent,
        "expected": one.expected,
        "bundles": list(one.bundles),
        "places": [place_data(span) for span in one.places],
    }


def _types(one: Types) -> dict[str, Any]:
    places = [place_data(span) for span in one.places]
    return {"key": one.key, "types": one.types, "bundles": list(one.bundles), "places": places}
