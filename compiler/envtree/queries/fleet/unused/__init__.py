"""What a tree could do without: all that reaches no bundle, or has something stand over it in every one."""

from envtree.diagnostics.codes import IDLE, NEEDS_KEY
from envtree.diagnostics.findings import Finding
from envtree.engine.run import Run
from envtree.queries.fleet.reach import Reach
from envtree.queries.fleet.unused.declarations import idle_declarations
from envtree.queries.fleet.unused.entities import idle_entities
from envtree.queries.fleet.unused.values import shadowed

# What every check tells, and is an answer here, too.
TOLD = frozenset({"ET152", "ET350", "ET352", "ET450", "ET451", "ET651", "ET752", "ET756"}) | IDLE


def unused(run: Run) -> tuple[Finding, ...]:
    """All findings of this kind over the whole tree; the run is finished afterwards."""
    workspace = run.workspace
    assert workspace
    reach = Reach()
    for result in run.results():
        reach.add(result)
    unset = frozenset(each.span for each in run.diags if each.code == "ET756")
    declarations = (each for each in idle_declarations(workspace) if each.span not in unset)
    run.diags.extend([*idle_entities(run), *declarations, *shadowed(run, reach)])
    # Now it is known whether an allowance of such a finding has a use.
    run.diags.extend([*run.allowances.idle(run.diags, aside=NEEDS_KEY)])
    return tuple(finding for finding in run.outcome().findings if finding.diagnostic.code in TOLD)


__all__ = ["TOLD", "unused"]
