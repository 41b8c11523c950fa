"""What a tree could do without: all that reaches no bundle, or has something stand over it in every one."""

from envtree.diagnostics.codes import DECRYPTION_CODES, UNUSED_CODES
from envtree.diagnostics.findings import Finding
from envtree.engine.run import Run
from envtree.queries.fleet.unused.shadowed_values import find_shadowed_values
from envtree.queries.fleet.unused.unused_declarations import find_unused_declarations
from envtree.queries.fleet.unused.unused_entities import find_unused_entities
from envtree.queries.fleet.value_usage import ValueUsageIndex

# What every check tells, and is an answer here, too.
UNUSED_QUERY_CODES = frozenset({"ET152", "ET350", "ET352", "ET450", "ET451", "ET651", "ET752", "ET756"}) | UNUSED_CODES


def unused(run: Run) -> tuple[Finding, ...]:
    """All findings of this kind over the whole tree; the run is finished afterwards."""
    workspace = run.workspace
    assert workspace
    reach = ValueUsageIndex()
    for result in run.results():
        reach.add(result)
    unset = frozenset(each.span for each in run.diags if each.code == "ET756")
    declarations = (each for each in find_unused_declarations(workspace) if each.span not in unset)
    run.diags.extend([*find_unused_entities(run), *declarations, *find_shadowed_values(run, reach)])
    # Now it is known whether an allowance of such a finding has a use.
    run.diags.extend([*run.suppressions.report_unused(run.diags, unchecked_codes=DECRYPTION_CODES)])
    return tuple(finding for finding in run.outcome().findings if finding.diagnostic.code in UNUSED_QUERY_CODES)


__all__ = ["UNUSED_QUERY_CODES", "unused"]
