"""What the commands of the control plane have in common: what the tree wants, the server, and the ids that we know."""

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from envtree.cli.support.console import err
from envtree.cli.support.exits import Exit
from envtree.cli.support.progress import progress
from envtree.cli.support.session import Environ, Messages, open_tree, report_of, usage_errors, view_of
from envtree.controlplane.api.access import Access, access
from envtree.controlplane.api.client import connected
from envtree.controlplane.api.reading import read
from envtree.controlplane.desired import Desired
from envtree.controlplane.sync.ids import PLACE, Ids, load
from envtree.controlplane.sync.model import Plan
from envtree.controlplane.sync.plan import plan
from envtree.controlplane.sync.vault import Values
from envtree.engine.check import examined
from envtree.engine.run import Request, Run
from envtree.model.secrets_file import SecretsPolicy
from envtree.output.emit.vault import vault_values
from envtree.secrets.sops import Decrypter
from envtree.sources.tree import DirectoryTree


class Wanted(NamedTuple):
    """What the tree says: its resources, of which organization, and its secrets where a key was at hand."""

    organization: str
    desired: tuple[Desired, ...]
    values: Values


def wanted(
    tree: DirectoryTree,
    inputs: Mapping[str, str],
    color: str,
    decrypter: Callable[[SecretsPolicy], Decrypter] | None = None,
) -> Wanted | Exit:
    """The resources of a tree; where it has errors, these are told, and how the command ends."""
    with usage_errors(), progress(sys.stderr) as told:
        request = Request(tree, (), dict(inputs), Environ(), decrypter, inputs_required=True, control_plane=True)
        run, values = Run(request._replace(progress=told)), Values()
        patterns = run.workspace.organization.output.env if run.workspace else {}
        for result in examined(run, run.writers()):
            if decrypter:
                values.add(result.bundle.target.id, vault_values(result.bundle, patterns))
    outcome = run.outcome()
    report = report_of(outcome)
    broken = run.severities.errors(run.diags) or run.desired is None or run.workspace is None
    if broken:
        Messages(view_of(tree), "text", color, sys.stderr).tell(report)
        err("nothing was asked of the control plane: the tree has errors\n")
        return Exit.FOUND
    assert run.workspace
    assert run.desired is not None
    return Wanted(str(run.workspace.organization.fields["name"]), run.desired, values)


def reached() -> Access:
    """Where the control plane is; asked for before anything is compiled."""
    return access(os.environ)


class Compared(NamedTuple):
    """What it would take to make the control plane as the tree says, and the ids that we know."""

    plan: Plan
    ids: Ids


def compared(directory: Path, given: str, inputs: Mapping[str, str], color: str) -> Compared | Exit:
    """Read the live state, and compare it with the tree; where that has errors, how the command ends."""
    tree = open_tree(directory)
    where = reached()
    found = wanted(tree, inputs, color)
    if not isinstance(found, Wanted):
        return found
    ids = kept(tree, given, found.organization).ids
    with connected(where) as client:
        live = read(client, found.organization)
    return Compared(plan(found.desired, live, ids), ids)


class Kept(NamedTuple):
    """The file of ids."""

    path: Path
    ids: Ids


def kept(tree: DirectoryTree, given: str, organization: str) -> Kept:
    """The ids that we know."""
    path = Path(given) if given else tree.root / PLACE
    return Kept(path, load(path, organization))
