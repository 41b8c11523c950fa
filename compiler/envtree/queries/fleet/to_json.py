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
    """Return the JSON data of the impact of files; `bundles` has the bundles of all of them."""
    return {
        "envtree": "1",
        "path": impacts[0].path if len(impacts) == 1 else None,
        "bundles": sorted({id for impact in impacts for id in impact.bundles}),
        "files": [_file_data(impact) for impact in impacts],
    }


def matrix_data(matrix: Matrix) -> dict[str, Any]:
    """Return the JSON data of a key's values in all bundles."""
    return {
        "envtree": "1",
        "key": matrix.key,
        "rows": [_row_data(row) for row in matrix.rows],
        "missing": list(matrix.missing),
    }


def parity_data(parity: Parity) -> dict[str, Any]:
    """Return the JSON data of a comparison of two environments."""
    return {
        "envtree": "1",
        "environments": list(parity.environments),
        "missing": [_missing_key_data(missing) for missing in parity.missing_keys],
        "types": [_type_mismatch_data(mismatch) for mismatch in parity.type_mismatches],
        "agents": [
            {"agent": unpaired.agent, "in": unpaired.present_in, "not_in": unpaired.absent_from}
            for unpaired in parity.unpaired_agents
        ],
        "summary": {"agents": parity.agent_count},
    }


def unused_data(findings: Iterable[Finding]) -> dict[str, Any]:
    """Return the JSON data of findings about unused parts of a tree."""
    return {"envtree": "1", "findings": [finding_data(finding) for finding in findings]}


def _file_data(impact: Impact) -> dict[str, Any]:
    return {
        "path": impact.path,
        "kind": impact.kind.value if impact.kind else None,
        "relation": impact.relation,
        "bundles": list(impact.bundles),
        "keys": [_usage_data(usage) for usage in impact.keys],
        "named": [span_data(span) for span in impact.mentions],
        "governs": [{"secrets": path, "rule": span_data(rule)} for path, rule in impact.governed_files],
    }


def _usage_data(usage: Usage) -> dict[str, Any]:
    shadowed = sorted(usage.shadowed_by.items(), key=lambda item: (-len(item[1]), item[0]))
    return {
        "key": usage.key,
        "line": usage.span.line,
        "column": usage.span.column,
        "counts": len(usage.effective_in),
        "shadowed": [span_data(span) | {"count": len(bundles)} for span, bundles in shadowed],
    }


def _row_data(row: MatrixRow) -> dict[str, Any]:
    return {
        "value": row.value,
        "sensitive": row.sensitive,
        "unknown": row.unknown,
        "bundles": list(row.bundles),
        "origins": [span_data(span) for span in row.origins],
    }


def _missing_key_data(missing: MissingKey) -> dict[str, Any]:
    return {
        "key": missing.key,
        "in": missing.present_in,
        "not_in": missing.absent_from,
        "expected": missing.is_expected,
        "bundles": list(missing.bundles),
        "places": [span_data(span) for span in missing.spans],
    }


def _type_mismatch_data(mismatch: TypeMismatch) -> dict[str, Any]:
    locations = [span_data(span) for span in mismatch.spans]
    return {"key": mismatch.key, "types": mismatch.types, "bundles": list(mismatch.bundles), "places": locations}
