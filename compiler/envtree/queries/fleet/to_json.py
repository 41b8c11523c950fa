"""The answers about the fleet as JSON data, as `schema/output/` describes them."""

from collections.abc import Iterable, Sequence
from typing import Any

from envtree.diagnostics.finding_json import finding_data
from envtree.diagnostics.findings import Finding
from envtree.queries.explain.to_json import span_data
from envtree.queries.fleet.declaration_usage import Usage
from envtree.queries.fleet.impact import Impact
from envtree.queries.fleet.matrix import Matrix, MatrixRow
from envtree.queries.fleet.parity import MissingKey, Parity, TypeMismatch


def impact_data(impacts: Sequence[Impact]) -> dict[str, Any]:
    """What files feed; `bundles` are those of all files."""
    return {
        "envtree": "1",
        "path": impacts[0].path if len(impacts) == 1 else None,
        "bundles": sorted({id for one in impacts for id in one.bundles}),
        "files": [_file_data(one) for one in impacts],
    }


def matrix_data(matrix: Matrix) -> dict[str, Any]:
    """One key over all bundles."""
    return {
        "envtree": "1",
        "key": matrix.key,
        "rows": [_row_data(row) for row in matrix.rows],
        "missing": list(matrix.missing),
    }


def parity_data(parity: Parity) -> dict[str, Any]:
    """Two environments side by side."""
    return {
        "envtree": "1",
        "environments": list(parity.environments),
        "missing": [_missing_key_data(one) for one in parity.missing_keys],
        "types": [_type_mismatch_data(one) for one in parity.type_mismatches],
        "agents": [
            {"agent": one.agent, "in": one.present_in, "not_in": one.absent_from} for one in parity.unpaired_agents
        ],
        "summary": {"agents": parity.agent_count},
    }


def unused_data(findings: Iterable[Finding]) -> dict[str, Any]:
    """What a tree could do without."""
    return {"envtree": "1", "findings": [finding_data(finding) for finding in findings]}


def _file_data(impact: Impact) -> dict[str, Any]:
    return {
        "path": impact.path,
        "kind": impact.kind.value if impact.kind else None,
        "relation": impact.relation,
        "bundles": list(impact.bundles),
        "keys": [_usage_data(one) for one in impact.keys],
        "named": [span_data(span) for span in impact.mentions],
        "governs": [{"secrets": path, "rule": span_data(rule)} for path, rule in impact.governed_files],
    }


def _usage_data(use: Usage) -> dict[str, Any]:
    shadowed = sorted(use.shadowed_by.items(), key=lambda item: (-len(item[1]), item[0]))
    return {
        "key": use.key,
        "line": use.span.line,
        "column": use.span.column,
        "counts": len(use.effective_in),
        "shadowed": [span_data(span) | {"count": len(numbers)} for span, numbers in shadowed],
    }


def _row_data(row: MatrixRow) -> dict[str, Any]:
    return {
        "value": row.value,
        "sensitive": row.sensitive,
        "unknown": row.unknown,
        "bundles": list(row.bundles),
        "origins": [span_data(span) for span in row.origins],
    }


def _missing_key_data(one: MissingKey) -> dict[str, Any]:
    return {
        "key": one.key,
        "in": one.present_in,
        "not_in": one.absent_from,
        "expected": one.is_expected,
        "bundles": list(one.bundles),
        "places": [span_data(span) for span in one.spans],
    }


def _type_mismatch_data(one: TypeMismatch) -> dict[str, Any]:
    places = [span_data(span) for span in one.spans]
    return {"key": one.key, "types": one.types, "bundles": list(one.bundles), "places": places}
