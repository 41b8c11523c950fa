"""`envtree plan`: what would change at the control plane, on stdout."""

import sys
from pathlib import Path
from typing import NamedTuple

from envtree.cli.support.console import colored, err, out, painted
from envtree.cli.support.control_plane import Compared, compared
from envtree.cli.support.exits import Exit
from envtree.controlplane.sync.model import Plan
from envtree.controlplane.sync.saved import plan_data, saved
from envtree.diagnostics.printable_documents import json_document
from envtree.model.diagnostic import Failure, reason
from envtree.report.planned import planned_text, sentence
from envtree.report.planned_markdown import planned_markdown


class Options(NamedTuple):
    """The command line."""

    directory: Path
    out: Path | None
    form: str
    detailed: bool
    ids: str
    inputs: dict[str, str]
    color: str


def run(options: Options) -> Exit:
    """Read the live state, and tell what differs."""
    found = compared(options.directory, options.ids, options.inputs, options.color)
    if not isinstance(found, Compared):
        return found
    made = found.plan
    if options.out:
        _write(options.out, saved(made))
    tell(made, options.form, options.color)
    if made.taken:
        return Exit.FOUND
    return Exit.DIFFERENT if options.detailed and not made.empty else Exit.OK


def tell(made: Plan, form: str, color: str) -> None:
    """Say what a plan does."""
    if form == "json":
        out(json_document(plan_data(made)))
    elif form == "markdown":
        out(planned_markdown(made).encode())
    else:
        painted(sys.stdout, planned_text(made, color=colored(sys.stdout, color)))
        err(f"{sentence(made)}\n")


def _write(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise Failure("ET805", f"'{path}' cannot be written: {reason(error)}") from None
