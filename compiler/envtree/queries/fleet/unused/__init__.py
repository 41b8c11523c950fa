"""Find the parts of a tree that no bundle needs: they reach none, or are overridden in every one."""

from envtree.diagnostics.codes import DECRYPTION_CODES, UNUSED_CODES
from envtree.diagnostics.findings import Finding
from envtree.engine.run import Run
from envtree.queries.fleet.unused.shadowed_values import find_shadowed_values
from envtree.queries.fleet.unused.unused_declarations import find_unused_declarations
from envtree.queries.fleet.unused.unused_entities import find_unused_entities
from envtree.queries.fleet.value_usage import ValueUsageIndex

# Codes of every check that also belong to this answer.
UNUSED_QUERY_CODES = frozenset({"ET152", "ET350", "ET352", "ET450", "ET451", "ET651", "ET752", "ET756"}) | UNUSED_CODES


def unused(run: Run) -> tuple[Finding, ...]:
    """Return all findings about unused parts of the whole tree, and finish the run."""
    workspace = run.workspace
    assert workspace
    values = ValueUsageIndex()
    for result in run.results():
        values.add(result)
    unset_spans = frozenset(diagnostic.span for diagnostic in run.diags if diagnostic.code == "ET756")
    declarations = (
        diagnostic for diagnostic in find_unused_declarations(workspace) if diagnostic.span not in unset_spans
    )
    run.diags.extend([*find_unused_entities(run), *declarations, *find_shadowed_values(run, values)])
    # Only now is it known whether a suppression of such a finding is used.
    run.diags.extend([*run.suppressions.report_unused(run.diags, unchecked_codes=DECRYPTION_CODES)])
    return tuple(finding for finding in run.outcome().findings if finding.diagnostic.code in UNUSED_QUERY_CODES)


__all__ = ["UNUSED_QUERY_CODES", "unused"]
