"""`envtree drift`: what somebody has changed at the control plane, on stdout."""

from pathlib import Path
from typing import NamedTuple

from envtree.cli.exits import Exit
from envtree.cli.work.control_plane import Wanted, kept, reached, wanted
from envtree.cli.work.plan import tell
from envtree.cli.work.session import open_tree
from envtree.converge.drift import drift
from envtree.converge.plan import plan
from envtree.live.client import connected
from envtree.live.reading import read


class Options(NamedTuple):
    """The command line."""

    directory: Path
    form: str
    ids: str
    inputs: dict[str, str]
    color: str


def run(options: Options) -> Exit:
    """Read the live state, and tell what is not as it was left."""
    tree = open_tree(options.directory)
    where = reached()
    found = wanted(tree, options.inputs, options.color)
    if not isinstance(found, Wanted):
        return found
    ids = kept(tree, options.ids, found.organization).ids
    with connected(where) as client:
        live = read(client, found.organization)
    moved = drift(plan(found.desired, live, ids), ids)
    tell(moved, options.form, options.color)
    return Exit.OK if moved.empty else Exit.FOUND
