"""From a workspace and its bundles to the resources that the control plane should have."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from envtree.compile.bundle_lint.place import supplier
from envtree.controlplane.desired import plain, staff
from envtree.controlplane.desired.desired import Desired, mentions, ordered
from envtree.controlplane.desired.differences import Differences, Places
from envtree.controlplane.desired.lookup import Lookup
from envtree.controlplane.desired.names import check_names
from envtree.controlplane.desired.sections import flat
from envtree.controlplane.desired.teams import team_bundles
from envtree.model.diagnostic import Diagnostic, Diagnostics
from envtree.model.resolved import Bundle, Outside, Resolved
from envtree.model.resource import Resources
from envtree.model.workspace import Workspace


class Compiled(NamedTuple):
    """A whole tree, all bundles of its agents, and those of its teams, whose targets have no agent.

    `places` tells where a value of an agent's bundle was written.
    """

    workspace: Workspace
    resources: Resources
    bundles: Sequence[Bundle]
    teams: Sequence[Bundle]
    places: Places


def desired(
    workspace: Workspace,
    resources: Resources,
    results: Sequence[tuple[Resolved, Bundle]],
    outside: Outside,
    diags: Diagnostics,
) -> tuple[Desired, ...]:
    """The resources of a whole tree whose bundles are all there."""
    by_target = {one.target: resolved for resolved, one in results}
    bundles = [one for _, one in results]
    teams = tuple(team_bundles(workspace, outside))
    places: Places = lambda at, path: supplier(by_target[at], path)  # noqa: E731
    return payloads(Compiled(workspace, resources, bundles, teams, places), diags)


def payloads(compiled: Compiled, diags: Diagnostics) -> tuple[Desired, ...]:
    """The resources in the order in which they can be made.

    What the control plane would not take is reported, and so is what it would do otherwise than the bundles say.
    """
    workspace, resources, bundles, teams, places = compiled
    look = Lookup(workspace, resources, (one.target for one in bundles), (one.target for one in teams))
    patterns = workspace.organization.output.env
    flats = {one.target: flat(one, patterns) for one in (*bundles, *teams)}

    def every() -> Iterator[Desired]:
        yield from plain.organization(look)
        yield from plain.policies(look)
        yield from plain.skills(look)
        yield from staff.environments(look, flats)
        yield from plain.queues(look)
        yield from staff.teams(look, flats, diags)
        yield from staff.agents(look, bundles, flats, diags)
        yield from staff.projects(look)
        yield from plain.jobs(look, diags)

    found = ordered(every())
    before = len(diags)
    check_names(found, diags)
    _check_references(found, diags)
    if len(diags) == before:
        # Where two have one name it is not known which is meant.
        Differences(look, found, flats, places).report(bundles, teams, diags)
    return found


def _check_references(resources: Iterable[Desired], diags: Diagnostics) -> None:
    """Report what refers to something that the control plane would not have."""
    known = {one.ref for one in resources}
    for one in resources:
        parts = (one.parent, one.state, [link.member for link in one.links])
        lost = next((ref for ref in mentions(parts) if ref not in known), None)
        if lost:
            message = f"{one.kind} '{one.name}' refers to the {lost.kind} '{lost.name}', which is not there"
            diags.add(Diagnostic(one.origin, "ET314", message, "name one that is made of this tree"))
