"""`envtree apply`: the control plane becomes what the tree says; what was done is told on stderr."""

from pathlib import Path
from typing import NamedTuple

from envtree.cli.support.console import err
from envtree.cli.support.control_plane import Kept, Wanted, kept, reached, wanted
from envtree.cli.support.exits import Exit
from envtree.cli.support.options import usage_error
from envtree.cli.support.session import decrypter, open_tree
from envtree.controlplane.api.access import Access
from envtree.controlplane.api.client import Client, RefusedError, connected, vault
from envtree.controlplane.api.reading import read
from envtree.controlplane.sync.apply import Work, apply
from envtree.controlplane.sync.ids import Ids, store
from envtree.controlplane.sync.lock import locked
from envtree.controlplane.sync.model import Plan
from envtree.controlplane.sync.plan import plan, protected
from envtree.controlplane.sync.saved import NoPlanError, Restored
from envtree.controlplane.sync.vault import Values, names, push
from envtree.diagnostics.printable import printable
from envtree.model.diagnostic import Failure, Refusal, reason
from envtree.report import plural
from envtree.report.planned import sentence
from envtree.sources.tree import DirectoryTree


class Options(NamedTuple):
    """The command line."""

    directory: Path
    plan: Path | None
    prune: bool
    protected: tuple[str, ...]
    vault: bool
    ids: str
    inputs: dict[str, str]
    color: str


def run(options: Options) -> Exit:
    """Apply a saved plan, or one that is made now."""
    tree = open_tree(options.directory)
    where = reached()
    restored = _restored(options.plan) if options.plan else None
    found = _wanted(tree, restored, options)
    if not isinstance(found, Wanted):
        return found
    with connected(where) as client:
        try:
            with locked(client):
                if options.vault:
                    _put_secrets(where, found)
                _apply(client, found, restored, kept(tree, options.ids, found.organization), options)
        except RefusedError as refused:
            raise refused.failure() from None
    return Exit.OK


def _restored(path: Path) -> Restored:
    try:
        return Restored(path.read_bytes())
    except OSError as error:
        raise Failure("ET805", f"'{path}' cannot be read: {reason(error)}") from None
    except NoPlanError:
        raise usage_error(f"'{path}' is no plan of this version", "make one with: envtree plan --out FILE") from None


def _wanted(tree: DirectoryTree, restored: Restored | None, options: Options) -> Wanted | Exit:
    """What is to be; of a saved plan, nothing needs to be compiled but for its secrets."""
    if restored and not options.vault:
        return Wanted(restored.organization, restored.desired, Values())
    found = wanted(tree, options.inputs, options.color, decrypter(tree) if options.vault else None)
    return found._replace(desired=restored.desired) if restored and isinstance(found, Wanted) else found


def _put_secrets(where: Access, found: Wanted) -> None:
    with vault(where) as client:
        push(client, names(found.desired), found.values, found.organization, _tell)


def _tell(what: str) -> None:
    err(f"{printable(what)}\n")


def _apply(client: Client, found: Wanted, restored: Restored | None, held: Kept, options: Options) -> None:
    live = read(client, found.organization)
    made = plan(found.desired, live, held.ids)
    if restored and not restored.is_of(made):
        message = "the control plane, or what we know of it, has changed since the plan was made"
        raise Refusal("ET904", message, "make a new plan, and look at it")
    _check(made, options)
    known = held.ids

    def keep(ids: Ids) -> None:
        nonlocal known
        known = ids
        store(held.path, ids)

    apply(made, live, known, Work(client, keep, _tell, options.prune))
    left = plan(found.desired, read(client, found.organization), known)
    _conclude(made, left, options)


def _check(made: Plan, options: Options) -> None:
    if made.taken:
        more = f", and {plural(len(made.taken) - 1, 'more name')}" if len(made.taken) > 1 else ""
        message = f"{made.taken[0]} is there already and not ours{more}"
        raise Refusal("ET906", message, "take it over with 'envtree import', or rename one of the two")
    kept = next(protected(made.changes, options.protected), None) if options.prune else None
    replaced = next(protected((one for one in made.changes if one.action == "replace"), options.protected), None)
    if kept or replaced:
        message = f"{kept or replaced} is protected, and would be removed"
        raise Refusal("ET907", message, "leave it in the tree, or do not protect it")


def _conclude(made: Plan, left: Plan, options: Options) -> None:
    """Say what was done, once the control plane has been looked at again."""
    wrong = [one for one in left.changes if one.action != "delete"]
    if wrong:
        message = f"the control plane did not keep all that was sent: {wrong[0].ref} still differs"
        raise Failure("ET905", message, "run 'envtree plan' to see what is there now")
    stay = [one for one in left.changes if one.action == "delete"]
    err(f"applied {sentence(made, prune=options.prune)}\n")
    if stay:
        err(f"{plural(len(stay), 'object')} that the tree no longer has would go with --prune\n")
