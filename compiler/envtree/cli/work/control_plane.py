"""What the commands of the control plane have in common: what the tree wants, the server, and the ids that we know."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from envtree.cli.console import err
from envtree.cli.exits import Exit
from envtree.cli.progress import progress
from envtree.cli.work.session import Environ, Messages, report_of, usage_errors, view_of
from envtree.converge.ids import PLACE, Ids, load
from envtree.diagnostic import Failure
from envtree.kubiya import Desired
from envtree.live.access import Access, access
from envtree.pipeline import Request, Run, examined
from envtree.secret import SecretsPolicy
from envtree.sops import Decrypter
from envtree.tree import DirectoryTree

if TYPE_CHECKING:
    from envtree.live.client import Client


class Wanted(NamedTuple):
    """What the tree says: its resources, and of which organization; `run` has made them."""

    organization: str
    desired: tuple[Desired, ...]
    bundles: tuple[Any, ...]


def wanted(
    tree: DirectoryTree,
    inputs: Mapping[str, str],
    color: str,
    decrypter: Callable[[SecretsPolicy], Decrypter] | None = None,
) -> Wanted | Exit:
    """The resources of a tree; where it has errors, these are told, and how the command ends."""
    with usage_errors(), progress(sys.stderr) as told:
        request = Request(tree, (), dict(inputs), Environ(), decrypter, inputs_required=True, control_plane=True)
        run = Run(request._replace(progress=told))
        bundles = tuple(result.bundle for result in examined(run, run.writers())) if decrypter else _counted(run)
    outcome = run.outcome()
    report = report_of(outcome)
    broken = run.severities.errors(run.diags) or run.desired is None or run.workspace is None
    if broken:
        Messages(view_of(tree), "text", color, sys.stderr).tell(report)
        err("nothing was asked of the control plane: the tree has errors\n")
        return Exit.FOUND
    assert run.workspace
    assert run.desired is not None
    return Wanted(str(run.workspace.organization.fields["name"]), run.desired, bundles)


def _counted(run: Run) -> tuple[Any, ...]:
    """Look at each bundle, and keep none."""
    for _ in examined(run, run.writers()):
        pass
    return ()


def reached() -> Access:
    """Where the control plane is; asked for before anything is compiled."""
    return access(os.environ)


@contextmanager
def server(where: Access) -> Iterator["Client"]:
    """The control plane, if what speaks to it is installed."""
    try:
        from envtree.live.client import connected  # noqa: PLC0415
    except ImportError:
        message = "requests to the control plane need a library that is not installed"
        raise Failure("ET901", message, "run: pip install 'envtree[kubiya]'") from None
    with connected(where) as client:
        yield client


class Kept(NamedTuple):
    """The file of ids."""

    path: Path
    ids: Ids


def kept(tree: DirectoryTree, given: str, organization: str) -> Kept:
    """The ids that we know."""
    path = Path(given) if given else tree.root / PLACE
    return Kept(path, load(path, organization))
