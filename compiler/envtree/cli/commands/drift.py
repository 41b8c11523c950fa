"""`envtree drift`: what somebody has changed at the control plane, on stdout."""

from pathlib import Path
from typing import NamedTuple

from envtree.cli.commands.plan import write_plan
from envtree.cli.support.control_plane_session import LivePlan, plan_against_live
from envtree.cli.support.exits import ExitCode
from envtree.controlplane.sync.plan import select_drift


class DriftOptions(NamedTuple):
    """The command line."""

    directory: Path
    form: str
    ids: str
    inputs: dict[str, str]
    color: str


def run(options: DriftOptions) -> ExitCode:
    """Read the live state, and tell what is not as it was left."""
    found = plan_against_live(options.directory, options.ids, options.inputs, options.color)
    if not isinstance(found, LivePlan):
        return found
    moved = select_drift(*found)
    write_plan(moved, options.form, options.color)
    return ExitCode.OK if moved.is_empty else ExitCode.FAILURE
