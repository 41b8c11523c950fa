"""Implementation of `envtree kubiya plan`: the changes that `apply` would make at the control plane, on stdout."""

import sys
from pathlib import Path
from typing import NamedTuple

from envtree.cli.support.control_plane_session import LivePlan, plan_against_live
from envtree.cli.support.exits import ExitCode
from envtree.controlplane.sync.plan_file import encode_plan, plan_to_json
from envtree.controlplane.sync.plan_model import SyncPlan
from envtree.diagnostics.printable_documents import json_document
from envtree.model.diagnostic import MachineError, os_error_reason
from envtree.report.plan_markdown import render_plan_markdown
from envtree.report.plan_text import plan_summary, render_plan_text
from envtree.system.console import err, out, should_color, write_styled


class PlanOptions(NamedTuple):
    """The parameters of the command."""

    directory: Path
    out: Path | None
    form: str
    detailed: bool
    ids: str
    inputs: dict[str, str]
    color: str


def run(options: PlanOptions) -> ExitCode:
    """Compare the live state with the tree and write the plan."""
    live_plan = plan_against_live(options.directory, options.ids, options.inputs, options.color)
    if not isinstance(live_plan, LivePlan):
        return live_plan
    plan = live_plan.plan
    if options.out:
        _write_plan_file(options.out, encode_plan(plan))
    write_plan(plan, options.form, options.color)
    if plan.conflicts:
        return ExitCode.FAILURE
    return ExitCode.CHANGES if options.detailed and not plan.is_empty else ExitCode.OK


def write_plan(plan: SyncPlan, form: str, color: str) -> None:
    """Write a plan to stdout; in text form with a summary on stderr."""
    if form == "json":
        out(json_document(plan_to_json(plan)))
    elif form == "markdown":
        out(render_plan_markdown(plan).encode())
    else:
        write_styled(sys.stdout, render_plan_text(plan, color=should_color(sys.stdout, color)))
        err(f"{plan_summary(plan)}\n")


def _write_plan_file(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise MachineError("ET805", f"'{path}' cannot be written: {os_error_reason(error)}") from None
