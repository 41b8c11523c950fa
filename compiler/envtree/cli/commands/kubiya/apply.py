"""Implementation of `envtree kubiya apply`: apply the tree to the control plane, and report the steps on stderr."""

from pathlib import Path
from typing import NamedTuple

from click import UsageError

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
from envtree.controlplane.api.live_state import LiveState, read_live_state, require_organization
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
    """The parameters of the command."""

    directory: Path
    plan: Path | None
    prune: bool
    protected: tuple[str, ...]
    vault: bool
    ids: str
    inputs: dict[str, str]
    color: str


def run(options: ApplyOptions) -> ExitCode:
    """Apply a saved plan, or a new one."""
    tree = open_tree(options.directory)
    access = require_access()
    saved_plan = _load_saved_plan(options.plan) if options.plan else None
    desired = _load_desired(tree, saved_plan, options)
    if not isinstance(desired, DesiredState):
        return desired
    with control_plane_client(access) as client:
        try:
            require_organization(client, desired.organization)
            with hold_organization_lock(client):
                ids_file = load_ids_file(tree, options.ids, desired.organization)
                live = read_live_state(client, desired.organization)
                plan = _make_checked_plan(desired, live, saved_plan, ids_file.ids, options)
                # Nothing leaves this machine before the plan and its organization are known to be the right ones.
                if options.vault:
                    _push_secrets(access, desired)
                _apply_plan(client, plan, live, ids_file, options)
        except ApiError as error:
            raise error.to_machine_error() from None
        except InvalidPlanError:
            raise _invalid_plan_error(options.plan) from None
    return ExitCode.OK


def _load_saved_plan(path: Path) -> SavedPlan:
    try:
        return SavedPlan(path.read_bytes())
    except OSError as error:
        raise MachineError("ET805", f"'{path}' cannot be read: {os_error_reason(error)}") from None
    except InvalidPlanError:
        raise _invalid_plan_error(path) from None


def _invalid_plan_error(path: Path | None) -> UsageError:
    return usage_error(f"'{path}' is no plan of this version", "make one with: envtree kubiya plan --out FILE")


def _load_desired(tree: DirectoryTree, saved_plan: SavedPlan | None, options: ApplyOptions) -> DesiredState | ExitCode:
    """Return the desired state; a saved plan contains it, so that the tree is compiled only for secret values."""
    if saved_plan and not options.vault:
        return DesiredState(saved_plan.organization, saved_plan.desired, SecretValues())
    desired = load_desired_state(
        tree, options.inputs, options.color, decrypter_factory(tree) if options.vault else None
    )
    return (
        desired._replace(resources=saved_plan.desired) if saved_plan and isinstance(desired, DesiredState) else desired
    )


def _push_secrets(access: ApiConfig, desired: DesiredState) -> None:
    with vault_client(access) as client:
        push_secrets(client, secret_names(desired.resources), desired.secret_values, desired.organization, _print_step)


def _print_step(message: str) -> None:
    err(f"{printable(message)}\n")


def _make_checked_plan(
    desired: DesiredState, live: LiveState, saved_plan: SavedPlan | None, ids: ManagedIds, options: ApplyOptions
) -> SyncPlan:
    """Return the plan to be applied, which is that of the file if there is one; raise RefusedError if it may not be."""
    plan = saved_plan.plan_again(live, ids) if saved_plan else make_plan(desired.resources, live, ids)
    if plan is None:
        message = "the control plane, or what we know of it, has changed since the plan was made"
        raise RefusedError("ET904", message, "make a new plan, and look at it")
    _check_plan(plan, options)
    return plan


def _apply_plan(client: Client, plan: SyncPlan, live: LiveState, ids_file: IdsFile, options: ApplyOptions) -> None:
    current_ids = ids_file.ids

    def store_ids(ids: ManagedIds) -> None:
        nonlocal current_ids
        current_ids = ids
        store_managed_ids(ids_file.path, ids)

    apply_plan(plan, live, current_ids, ApplyContext(client, store_ids, _print_step, options.prune))
    remaining = make_plan(plan.desired, read_live_state(client, plan.organization), current_ids)
    _report_result(plan, remaining, options)


def _check_plan(plan: SyncPlan, options: ApplyOptions) -> None:
    if plan.conflicts:
        more = f", and {plural(len(plan.conflicts) - 1, 'more name')}" if len(plan.conflicts) > 1 else ""
        message = f"{plan.conflicts[0]} is there already and not ours{more}"
        raise RefusedError("ET906", message, "take it over with 'envtree kubiya import', or rename one of the two")
    deleted = next(find_protected(plan.changes, options.protected), None) if options.prune else None
    replacements = (change for change in plan.changes if change.action == "replace")
    replaced = next(find_protected(replacements, options.protected), None)
    if deleted or replaced:
        message = f"{deleted or replaced} is protected, and would be removed"
        raise RefusedError("ET907", message, "leave it in the tree, or do not protect it")


def _report_result(plan: SyncPlan, remaining: SyncPlan, options: ApplyOptions) -> None:
    """Report what was applied; raise MachineError if a plan made afterwards still has changes other than deletions."""
    failed = [change for change in remaining.changes if change.action != "delete"]
    if failed:
        message = f"the control plane did not keep all that was sent: {failed[0].ref} still differs"
        raise MachineError("ET905", message, "run 'envtree kubiya plan' to see what is there now")
    deletions = [change for change in remaining.changes if change.action == "delete"]
    err(f"applied {plan_summary(plan, prune=options.prune)}\n")
    if deletions:
        err(f"{plural(len(deletions), 'object')} that the tree no longer has would go with --prune\n")
