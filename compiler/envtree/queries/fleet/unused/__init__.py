"""Find the parts of a tree that no bundle needs: they reach none, or are overridden in every one."""

from envtree.diagnostics.codes import CODES, Topic
from envtree.diagnostics.findings import Finding
from envtree.engine.run import Run
from envtree.queries.fleet.unused.shadowed_values import find_shadowed_values
from envtree.queries.fleet.unused.unused_declarations import find_unused_declarations
from envtree.queries.fleet.unused.unused_entities import find_unused_entities
from envtree.queries.fleet.value_usage import ValueUsageIndex

_CODES_WITH_KEY = frozenset(name for name, code in CODES.items() if code.needs_key)


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
    run.diags.extend([*run.suppressions.report_unused(run.diags, unchecked_codes=_CODES_WITH_KEY)])
    return tuple(finding for finding in run.outcome().findings if CODES[finding.diagnostic.code].topic is Topic.UNUSED)


__all__ = ["unused"]
