"""Build the desired resources of the control plane from a workspace and its bundles."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from envtree.compile.assemble import assemble
from envtree.compile.bundle_lint.value_origin import origin_span
from envtree.compile.layer import team_stacks
from envtree.compile.merge import merge
from envtree.compile.resolve import resolve
from envtree.controlplane.desired.desired_resource import DesiredResource, iter_refs, sort_resources
from envtree.controlplane.desired.environment_sections import flatten_environment
from envtree.controlplane.desired.resource_lookup import ResourceLookup
from envtree.controlplane.desired.resource_names import check_names
from envtree.controlplane.desired.server_differences import ServerDifferences, ValueLocator
from envtree.controlplane.desired.single_file_resources import (
    job_resources,
    organization_resource,
    policy_resources,
    skill_resources,
    worker_queue_resources,
)
from envtree.controlplane.desired.target_resources import (
    agent_resources,
    environment_resources,
    project_resources,
    team_resources,
)
from envtree.model.diagnostic import Diagnostic, Diagnostics
from envtree.model.keypath import KeyPath
from envtree.model.layers import Target
from envtree.model.resolved import Bundle, ExternalValues, Resolved
from envtree.model.resource import Resources
from envtree.model.span import Span
from envtree.model.workspace import Workspace


def compile_team_bundles(workspace: Workspace, external_values: ExternalValues) -> Iterator[Bundle]:
    """Yield one bundle for each team in each of its environments; its target has no agent.

    The control plane runs a team with the team's own environment and ignores its agents'. Findings are discarded, since
    the agents' bundles report them; an expression that reads the agent has no value here.
    """
    discarded = Diagnostics()
    merged = merge(team_stacks(workspace), workspace.organization, discarded)
    for resolved in resolve(merged, workspace, external_values, discarded):
        yield assemble(resolved, workspace.organization)


class CompiledTree(NamedTuple):
    """A whole tree, the bundles of its agents, and those of its teams, whose targets have no agent.

    `locate_value` returns the place where a value of an agent's bundle was written.
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
    external_values: ExternalValues,
    diags: Diagnostics,
) -> tuple[DesiredResource, ...]:
    """Build the resources of a whole tree from the results of all its bundles."""
    by_target = {bundle.target: resolved for resolved, bundle in results}

    def locate_value(target: Target, path: KeyPath) -> Span:
        return origin_span(by_target[target], path)

    compiled = CompiledTree(
        workspace=workspace,
        resources=resources,
        bundles=[bundle for _, bundle in results],
        team_bundles=tuple(compile_team_bundles(workspace, external_values)),
        locate_value=locate_value,
    )
    return build_resources(compiled, diags)


def build_resources(compiled: CompiledTree, diags: Diagnostics) -> tuple[DesiredResource, ...]:
    """Return the resources in the order in which they can be created.

    Report resources that the control plane would reject, and differences between its behaviour and the bundles.
    """
    workspace, resources, bundles, team_bundles, locate_value = compiled
    lookup = ResourceLookup(
        workspace,
        resources,
        agents=(bundle.target for bundle in bundles),
        teams=(bundle.target for bundle in team_bundles),
    )
    patterns = workspace.organization.output.env_patterns
    flat_environments = {bundle.target: flatten_environment(bundle, patterns) for bundle in (*bundles, *team_bundles)}

    def all_resources() -> Iterator[DesiredResource]:
        yield from organization_resource(lookup)
        yield from policy_resources(lookup)
        yield from skill_resources(lookup)
        yield from environment_resources(lookup, flat_environments)
        yield from worker_queue_resources(lookup)
        yield from team_resources(lookup, flat_environments, diags)
        yield from agent_resources(lookup, bundles, flat_environments, diags)
        yield from project_resources(lookup)
        yield from job_resources(lookup, diags)

    desired = sort_resources(all_resources())
    count_before = len(diags)
    check_names(desired, diags)
    _check_references(desired, diags)
    if len(diags) == count_before:
        # With a duplicate name or a lost reference, the resource that a reference means is not known.
        ServerDifferences(lookup, desired, flat_environments, locate_value).report(bundles, team_bundles, diags)
    return desired


def _check_references(resources: Iterable[DesiredResource], diags: Diagnostics) -> None:
    """Report references to resources that the control plane would not have."""
    defined = {resource.ref for resource in resources}
    for resource in resources:
        referring = (resource.parent, resource.state, [link.member for link in resource.links])
        missing = next((ref for ref in iter_refs(referring) if ref not in defined), None)
        if missing:
            message = (
                f"{resource.kind} '{resource.name}' refers to the {missing.kind} '{missing.name}', which is not there"
            )
            diags.add(Diagnostic(resource.origin, "ET314", message, "name one that is made of this tree"))
