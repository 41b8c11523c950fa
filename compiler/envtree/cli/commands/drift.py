"""`envtree drift`: what somebody has changed at the control plane, on stdout."""

from pathlib import Path
from typing import NamedTuple

from envtree.cli.commands.plan import tell
from envtree.cli.support.control_plane import Compared, compared
from envtree.cli.support.exits import Exit
from envtree.controlplane.sync.drift import drift


class Options(NamedTuple):
    """The command line."""

    directory: Path
    form: str
    ids: str
    inputs: dict[str, str]
    color: str


def run(options: Options) -> Exit:
    """Read the live state, and tell what is not as it was left."""
    found = compared(options.directory, options.ids, options.inputs, options.color)
    if not isinstance(found, Compared):
        return found
    moved = drift(*found)
    tell(moved, options.form, options.color)
    return Exit.OK if moved.empty else Exit.FOUND
