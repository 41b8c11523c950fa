"""What the commands of the control plane have in common: what the tree wants, the server, and the ids that we know."""

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from envtree.cli.support.exits import ExitCode
from envtree.cli.support.progress import show_progress
from envtree.cli.support.session import (
    Environ,
    ReportPrinter,
    build_report,
    make_render_options,
    open_tree,
    translate_input_errors,
    tree_request,
)
from envtree.controlplane.api.api_config import ApiConfig, load_api_config
from envtree.controlplane.api.client import control_plane_client
from envtree.controlplane.api.live_state import read_live_state
from envtree.controlplane.desired import DesiredResource
from envtree.controlplane.sync.managed_ids import MANAGED_IDS_PATH, ManagedIds, load_managed_ids
from envtree.controlplane.sync.plan import make_plan
from envtree.controlplane.sync.plan_model import SyncPlan
from envtree.controlplane.sync.vault_secrets import SecretValues
from envtree.engine.check import check_results
from envtree.engine.decryption import Decrypter
from envtree.engine.run import Run
from envtree.model.secrets_file import SecretsPolicy
from envtree.output.emit.plaintexts import vault_values
from envtree.sources.tree import DirectoryTree
from envtree.system.console import err


class DesiredState(NamedTuple):
    """What the tree says: its resources, of which organization, and its secrets where a key was at hand."""

    organization: str
    desired: tuple[DesiredResource, ...]
    secret_values: SecretValues


def load_desired_state(
    tree: DirectoryTree,
    inputs: Mapping[str, str],
    color: str,
    decrypter: Callable[[SecretsPolicy], Decrypter] | None = None,
) -> DesiredState | ExitCode:
    """The resources of a tree; where it has errors, these are told, and how the command ends."""
    with translate_input_errors(), show_progress(sys.stderr) as told:
        request = tree_request(tree, (), dict(inputs), Environ(), decrypter, require_inputs=True, control_plane=True)
        run, values = Run(request._replace(progress=told)), SecretValues()
        patterns = run.workspace.organization.output.env_patterns if run.workspace else {}
        for result in check_results(run, run.select_writers()):
            if decrypter:
                values.add(result.bundle.target.id, vault_values(result.bundle, patterns))
    outcome = run.outcome()
    report = build_report(outcome)
    broken = run.severities.error_paths(run.diags) or run.desired is None or run.workspace is None
    if broken:
        ReportPrinter(make_render_options(tree), "text", color, sys.stderr).print_report(report)
        err("nothing was asked of the control plane: the tree has errors\n")
        return ExitCode.FAILURE
    assert run.workspace
    assert run.desired is not None
    return DesiredState(str(run.workspace.organization.fields["name"]), run.desired, values)


def require_access() -> ApiConfig:
    """Where the control plane is; asked for before anything is compiled."""
    return load_api_config(os.environ)


class LivePlan(NamedTuple):
    """What it would take to make the control plane as the tree says, and the ids that we know."""

    plan: SyncPlan
    ids: ManagedIds


def plan_against_live(directory: Path, ids_path: str, inputs: Mapping[str, str], color: str) -> LivePlan | ExitCode:
    """Read the live state, and compare it with the tree; where that has errors, how the command ends."""
    tree = open_tree(directory)
    where = require_access()
    found = load_desired_state(tree, inputs, color)
    if not isinstance(found, DesiredState):
        return found
    ids = load_ids_file(tree, ids_path, found.organization).ids
    with control_plane_client(where) as client:
        live = read_live_state(client, found.organization)
    return LivePlan(make_plan(found.desired, live, ids), ids)


class IdsFile(NamedTuple):
    """The file of ids."""

    path: Path
    ids: ManagedIds


def load_ids_file(tree: DirectoryTree, ids_path: str, organization: str) -> IdsFile:
    """The ids that we know."""
    path = Path(ids_path) if ids_path else tree.root / MANAGED_IDS_PATH
    return IdsFile(path, load_managed_ids(path, organization))
