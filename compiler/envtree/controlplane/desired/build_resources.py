"""From a workspace and its bundles to the resources that the control plane should have."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from envtree.compile.assemble import assemble
from envtree.compile.bundle_lint.value_origin import origin_span
from envtree.compile.layer import team_stacks
from envtree.compile.merge import merge
from envtree.compile.resolve import resolve
from envtree.controlplane.desired import single_file_resources as plain
from envtree.controlplane.desired import target_resources as staff
from envtree.controlplane.desired.desired_resource import DesiredResource, iter_refs, sort_resources
from envtree.controlplane.desired.environment_sections import flatten_environment
from envtree.controlplane.desired.resource_lookup import ResourceLookup
from envtree.controlplane.desired.resource_names import check_names
from envtree.controlplane.desired.server_differences import ServerDifferences, ValueLocator
from envtree.model.diagnostic import Diagnostic, Diagnostics
from envtree.model.resolved import Bundle, ExternalValues, Resolved
from envtree.model.resource import Resources
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


class CompiledTree(NamedTuple):
    """A whole tree, all bundles of its agents, and those of its teams, whose targets have no agent.

    `places` tells where a value of an agent's bundle was written.
    """

    workspace: Workspace
    resources: Resources
    bundles: Sequence[Bundle]
    team_bundles: Sequence[Bundle]
    locate_value: ValueLocator


def build_desired_resources(
    workspace: Workspace,
    resources: Resources,
    results: Sequence[tuple[Resolved, Bundle]],
    outside: ExternalValues,
    diags: Diagnostics,
) -> tuple[DesiredResource, ...]:
    """The resources of a whole tree whose bundles are all there."""
    by_target = {one.target: resolved for resolved, one in results}
    bundles = [one for _, one in results]
    teams = tuple(compile_team_bundles(workspace, outside))
    places: ValueLocator = lambda at, path: origin_span(by_target[at], path)  # noqa: E731
    return build_resources(CompiledTree(workspace, resources, bundles, teams, places), diags)


def build_resources(compiled: CompiledTree, diags: Diagnostics) -> tuple[DesiredResource, ...]:
    """The resources in the order in which they can be made.

    What the control plane would not take is reported, and so is what it would do otherwise than the bundles say.
    """
    workspace, resources, bundles, teams, places = compiled
    look = ResourceLookup(workspace, resources, (one.target for one in bundles), (one.target for one in teams))
    patterns = workspace.organization.output.env_patterns
    flats = {one.target: flatten_environment(one, patterns) for one in (*bundles, *teams)}

    def every() -> Iterator[DesiredResource]:
        yield from plain.organization_resource(look)
        yield from plain.policy_resources(look)
        yield from plain.skill_resources(look)
        yield from staff.environment_resources(look, flats)
        yield from plain.worker_queue_resources(look)
        yield from staff.team_resources(look, flats, diags)
        yield from staff.agent_resources(look, bundles, flats, diags)
        yield from staff.project_resources(look)
        yield from plain.job_resources(look, diags)

    found = sort_resources(every())
    before = len(diags)
    check_names(found, diags)
    _check_references(found, diags)
    if len(diags) == before:
        # Where two have one name it is not known which is meant.
        ServerDifferences(look, found, flats, places).report(bundles, teams, diags)
    return found


def _check_references(resources: Iterable[DesiredResource], diags: Diagnostics) -> None:
    """Report what refers to something that the control plane would not have."""
    known = {one.ref for one in resources}
    for one in resources:
        parts = (one.parent, one.state, [link.member for link in one.links])
        lost = next((ref for ref in iter_refs(parts) if ref not in known), None)
        if lost:
            message = f"{one.kind} '{one.name}' refers to the {lost.kind} '{lost.name}', which is not there"
            diags.add(Diagnostic(one.origin, "ET314", message, "name one that is made of this tree"))
