"""`envtree apply`: the control plane becomes what the tree says; what was done is told on stderr."""

from pathlib import Path
from typing import NamedTuple

from envtree.cli.support.control_plane_session import (
    DesiredState,
    IdsFile,
    load_desired_state,
    load_ids_file,
    require_access,
)
from envtree.cli.support.exits import ExitCode
from envtree.cli.support.options import usage_error
from envtree.cli.support.session import decrypter_factory, open_tree
from envtree.controlplane.api.api_config import ApiConfig
from envtree.controlplane.api.client import ApiError, Client, control_plane_client, vault_client
from envtree.controlplane.api.live_state import read_live_state
from envtree.controlplane.sync.apply import ApplyContext, apply_plan
from envtree.controlplane.sync.managed_ids import ManagedIds, store_managed_ids
from envtree.controlplane.sync.organization_lock import hold_organization_lock
from envtree.controlplane.sync.plan import find_protected, make_plan
from envtree.controlplane.sync.plan_file import InvalidPlanError, SavedPlan
from envtree.controlplane.sync.plan_model import SyncPlan
from envtree.controlplane.sync.vault_secrets import SecretValues, push_secrets, secret_names
from envtree.diagnostics.printable import printable
from envtree.diagnostics.summary import plural
from envtree.model.diagnostic import MachineError, RefusedError, os_error_reason
from envtree.report.plan_text import plan_summary
from envtree.sources.tree import DirectoryTree
from envtree.system.console import err


class ApplyOptions(NamedTuple):
    """The command line."""

    directory: Path
    plan: Path | None
    prune: bool
    protected: tuple[str, ...]
    vault: bool
    ids: str
    inputs: dict[str, str]
    color: str


def run(options: ApplyOptions) -> ExitCode:
    """Apply a saved plan, or one that is made now."""
    tree = open_tree(options.directory)
    where = require_access()
    restored = _load_saved_plan(options.plan) if options.plan else None
    found = _load_desired(tree, restored, options)
    if not isinstance(found, DesiredState):
        return found
    with control_plane_client(where) as client:
        try:
            with hold_organization_lock(client):
                if options.vault:
                    _push_secrets(where, found)
                _apply_plan(client, found, restored, load_ids_file(tree, options.ids, found.organization), options)
        except ApiError as refused:
            raise refused.to_machine_error() from None
    return ExitCode.OK


def _load_saved_plan(path: Path) -> SavedPlan:
    try:
        return SavedPlan(path.read_bytes())
    except OSError as error:
        raise MachineError("ET805", f"'{path}' cannot be read: {os_error_reason(error)}") from None
    except InvalidPlanError:
        raise usage_error(f"'{path}' is no plan of this version", "make one with: envtree plan --out FILE") from None


def _load_desired(tree: DirectoryTree, restored: SavedPlan | None, options: ApplyOptions) -> DesiredState | ExitCode:
    """What is to be; of a saved plan, nothing needs to be compiled but for its secrets."""
    if restored and not options.vault:
        return DesiredState(restored.organization, restored.desired, SecretValues())
    found = load_desired_state(tree, options.inputs, options.color, decrypter_factory(tree) if options.vault else None)
    return found._replace(desired=restored.desired) if restored and isinstance(found, DesiredState) else found


def _push_secrets(access: ApiConfig, desired: DesiredState) -> None:
    with vault_client(access) as client:
        push_secrets(client, secret_names(desired.desired), desired.secret_values, desired.organization, _print_step)


def _print_step(message: str) -> None:
    err(f"{printable(message)}\n")


def _apply_plan(
    client: Client, desired: DesiredState, restored: SavedPlan | None, ids_file: IdsFile, options: ApplyOptions
) -> None:
    live = read_live_state(client, desired.organization)
    made = make_plan(desired.desired, live, ids_file.ids)
    if restored and not restored.matches(made):
        message = "the control plane, or what we know of it, has changed since the plan was made"
        raise RefusedError("ET904", message, "make a new plan, and look at it")
    _check_plan(made, options)
    known = ids_file.ids

    def keep(ids: ManagedIds) -> None:
        nonlocal known
        known = ids
        store_managed_ids(ids_file.path, ids)

    apply_plan(made, live, known, ApplyContext(client, keep, _print_step, options.prune))
    left = make_plan(desired.desired, read_live_state(client, desired.organization), known)
    _report_result(made, left, options)


def _check_plan(made: SyncPlan, options: ApplyOptions) -> None:
    if made.conflicts:
        more = f", and {plural(len(made.conflicts) - 1, 'more name')}" if len(made.conflicts) > 1 else ""
        message = f"{made.conflicts[0]} is there already and not ours{more}"
        raise RefusedError("ET906", message, "take it over with 'envtree import', or rename one of the two")
    kept = next(find_protected(made.changes, options.protected), None) if options.prune else None
    replaced = next(find_protected((one for one in made.changes if one.action == "replace"), options.protected), None)
    if kept or replaced:
        message = f"{kept or replaced} is protected, and would be removed"
        raise RefusedError("ET907", message, "leave it in the tree, or do not protect it")


def _report_result(made: SyncPlan, left: SyncPlan, options: ApplyOptions) -> None:
    """Say what was done, once the control plane has been looked at again."""
    wrong = [one for one in left.changes if one.action != "delete"]
    if wrong:
        message = f"the control plane did not keep all that was sent: {wrong[0].ref} still differs"
        raise MachineError("ET905", message, "run 'envtree plan' to see what is there now")
    stay = [one for one in left.changes if one.action == "delete"]
    err(f"applied {plan_summary(made, prune=options.prune)}\n")
    if stay:
        err(f"{plural(len(stay), 'object')} that the tree no longer has would go with --prune\n")
