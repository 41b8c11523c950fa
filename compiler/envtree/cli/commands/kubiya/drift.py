"""Implementation of `envtree kubiya drift`: changes at the control plane that were not made by envtree, on stdout."""

from pathlib import Path
from typing import NamedTuple

from envtree.cli.commands.kubiya.plan import write_plan
from envtree.cli.support.control_plane_session import LivePlan, plan_against_live
from envtree.cli.support.exits import ExitCode
from envtree.controlplane.sync.plan import select_drift


class DriftOptions(NamedTuple):
    """The parameters of the command."""

    directory: Path
    form: str
    ids: str
    inputs: dict[str, str]
    color: str


def run(options: DriftOptions) -> ExitCode:
    """Read the live state, and report objects that have changed since they were last applied."""
    live_plan = plan_against_live(options.directory, options.ids, options.inputs, options.color)
    if not isinstance(live_plan, LivePlan):
        return live_plan
    drift = select_drift(*live_plan)
    write_plan(drift, options.form, options.color)
    return ExitCode.OK if drift.is_empty else ExitCode.DIFFERS
