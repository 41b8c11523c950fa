"""Teams as something that runs: their bundles, which have all layers but those of an agent."""

from collections.abc import Iterator

from envtree.compile.assemble import assemble
from envtree.compile.layer import team_stacks
from envtree.compile.merge import merge
from envtree.compile.resolve import resolve
from envtree.model.diagnostic import Diagnostics
from envtree.model.resolved import Bundle, ExternalValues
from envtree.model.workspace import Workspace


def compile_team_bundles(workspace: Workspace, outside: ExternalValues) -> Iterator[Bundle]:
    """One for each team in each of its environments; its target has no agent.

    The control plane runs a team with the team's own environment, and looks at none of its agents'. What is wrong in
    these layers is told of the agents' bundles; what reads the agent has no value here.
    """
    unheard = Diagnostics()
    merged = merge(team_stacks(workspace), workspace.organization, unheard)
    for resolved in resolve(merged, workspace, outside, unheard):
        yield assemble(resolved, workspace.organization)
