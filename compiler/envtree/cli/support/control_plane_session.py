"""Shared by the control plane commands: the desired state of the tree, access to the server, and the managed ids."""

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
from envtree.model.diagnostic import RefusedError
from envtree.model.secrets_file import SecretsPolicy
from envtree.output.emit.plaintexts import vault_values
from envtree.sources.tree import DirectoryTree
from envtree.system.console import err


class DesiredState(NamedTuple):
    """The resources that a tree declares, their organization, and the secret values if a decrypter was given."""

    organization: str
    resources: tuple[DesiredResource, ...]
    secret_values: SecretValues


def load_desired_state(
    tree: DirectoryTree,
    inputs: Mapping[str, str],
    color: str,
    decrypter: Callable[[SecretsPolicy], Decrypter] | None = None,
) -> DesiredState | ExitCode:
    """Return the desired state of a tree; if it has errors, report them and return the exit code."""
    with translate_input_errors(), show_progress(sys.stderr) as progress:
        request = tree_request(
            tree,
            inputs=dict(inputs),
            environ=Environ(),
            decrypter=decrypter,
            require_inputs=True,
            control_plane=True,
        )
        run, values = Run(request._replace(progress=progress)), SecretValues()
        patterns = run.workspace.organization.output.env_patterns if run.workspace else {}
        for result in check_results(run, run.select_writers()):
            if decrypter:
                values.add(result.bundle.target.id, vault_values(result.bundle, patterns))
    outcome = run.outcome()
    report = build_report(outcome)
    has_errors = run.severities.error_paths(run.diags) or run.desired is None or run.workspace is None
    if has_errors:
        ReportPrinter(make_render_options(tree), "text", color, sys.stderr).print_report(report)
        err("nothing was asked of the control plane: the tree has errors\n")
        return ExitCode.FAILURE
    assert run.workspace
    assert run.desired is not None
    return DesiredState(str(run.workspace.organization.fields["name"]), run.desired, values)


def require_access() -> ApiConfig:
    """Return the URL and key of the control plane; called before anything is compiled, to fail early without them."""
    return load_api_config(os.environ)


class LivePlan(NamedTuple):
    """The changes that would bring the control plane to the state of the tree, and the managed ids."""

    plan: SyncPlan
    ids: ManagedIds


def plan_against_live(directory: Path, ids_path: str, inputs: Mapping[str, str], color: str) -> LivePlan | ExitCode:
    """Compare the live state with the tree; if the tree has errors, report them and return the exit code."""
    tree = open_tree(directory)
    access = require_access()
    desired = load_desired_state(tree, inputs, color)
    if not isinstance(desired, DesiredState):
        return desired
    ids = load_ids_file(tree, ids_path, desired.organization).ids
    with control_plane_client(access) as client:
        live = read_live_state(client, desired.organization)
    return LivePlan(make_plan(desired.resources, live, ids), ids)


class IdsFile(NamedTuple):
    """The file of managed ids: its path and its content."""

    path: Path
    ids: ManagedIds


def load_ids_file(tree: DirectoryTree, ids_path: str, organization: str) -> IdsFile:
    """Load the managed ids from `ids_path`, or from the default path in the tree, where no link is followed."""
    path = Path(ids_path) if ids_path else tree.root / MANAGED_IDS_PATH
    if not ids_path and path.parent.is_symlink():
        message = f"'{MANAGED_IDS_PATH}' lies behind a link, and is not written"
        raise RefusedError("ET808", message, "replace the link with a folder of its own")
    return IdsFile(path, load_managed_ids(path, organization))
