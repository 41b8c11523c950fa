"""Implementation of `envtree kubiya import`: write the control plane's live state as a tree, or adopt objects."""

import tempfile
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from envtree.cli.support.control_plane_session import load_ids_file, require_access
from envtree.cli.support.exits import ExitCode
from envtree.cli.support.options import usage_error
from envtree.cli.support.session import open_tree, tree_request
from envtree.controlplane.api.client import ApiError, Client, control_plane_client
from envtree.controlplane.api.live_state import LiveState, read_key_organization, read_live_state
from envtree.controlplane.desired import ResourceRef
from envtree.controlplane.sync.extract import ExtractedFile
from envtree.controlplane.sync.importable_tree import CompiledFiles, ImportableTree, find_importable_tree
from envtree.controlplane.sync.managed_ids import MANAGED_IDS_PATH, store_managed_ids
from envtree.controlplane.sync.marker import read_marker
from envtree.controlplane.sync.tree_file_text import render_tree_file
from envtree.controlplane.sync.vault_secrets import fetch_secrets
from envtree.diagnostics.printable import printable
from envtree.diagnostics.summary import plural
from envtree.engine.check import check_results
from envtree.engine.run import Run
from envtree.model.diagnostic import RefusedError
from envtree.model.secrets_file import SecretsPolicy
from envtree.secrets.sops.writer import RecipientKeys, SopsWriter
from envtree.sources.tree import DirectoryTree, find_root
from envtree.system import disk
from envtree.system.console import err, out

_SECRETS_FILE = "organization.secrets.yaml"


class ImportOptions(NamedTuple):
    """The parameters of the command."""

    directory: Path
    target: Path | None
    recipients: tuple[str, ...]
    adopt: tuple[str, ...]
    ids: str


def run(options: ImportOptions) -> ExitCode:
    """Write a tree, or record the ids of adopted objects."""
    if bool(options.target) == bool(options.adopt):
        raise usage_error(
            "say where to write the tree, or with --adopt what to take over", "as in: envtree kubiya import acme"
        )
    with control_plane_client(require_access()) as client:
        try:
            return _adopt(client, options) if options.adopt else _import_tree(client, options)
        except ApiError as error:
            raise error.to_machine_error() from None


def _adopt(client: Client, options: ImportOptions) -> ExitCode:
    tree = open_tree(options.directory)
    run = Run(tree_request(tree, allow_empty=True))
    organization = str(run.workspace.organization.fields["name"]) if run.workspace else ""
    live, ids_file = read_live_state(client, organization), load_ids_file(tree, options.ids, organization)
    ids = ids_file.ids
    for pattern in options.adopt:
        matches = [ref for ref in live.objects if fnmatchcase(str(ref), pattern) and "id" in live.objects[ref]]
        if not matches:
            raise usage_error(
                f"'{pattern}' is nothing at the control plane", "'envtree kubiya plan' shows what there is"
            )
        for ref in matches:
            ids = ids.with_object(ref, str(live.objects[ref]["id"]))
            out(f"{printable(str(ref))}\n")
    store_managed_ids(ids_file.path, ids)
    return ExitCode.OK


def _import_tree(client: Client, options: ImportOptions) -> ExitCode:
    assert options.target
    folder = options.directory / options.target
    if folder.exists() and any(folder.iterdir()):
        raise RefusedError("ET807", f"'{folder}' is not empty, and nothing is overwritten", "choose another folder")
    live = read_live_state(client, read_key_organization(client))
    managed = next((ref for ref, data in sorted(live.objects.items()) if read_marker(ref.kind, data)), None)
    if managed:
        message = f"objects of the control plane belong to a tree already, the first of them {managed}"
        raise RefusedError("ET906", message, "work with that tree: two would remove each other's objects")
    secrets = fetch_secrets(client, live) if options.recipients else {}
    with tempfile.TemporaryDirectory() as scratch:
        scratch_tree = Path(scratch) / "tree"
        imported = find_importable_tree(
            live, lambda files: _compile_files(scratch_tree, files, secrets, options.recipients)
        )
        with disk.translate_os_errors(folder):
            ids = Path(options.ids) if options.ids else folder / MANAGED_IDS_PATH
            _write_tree(folder, ids, imported, (scratch_tree / _SECRETS_FILE).read_bytes() if secrets else None)
    _report_import(imported, live, folder, has_secrets=bool(secrets))
    return ExitCode.OK


def _compile_files(
    folder: Path, files: Iterable[ExtractedFile], secrets: dict[str, str], recipients: tuple[str, ...]
) -> CompiledFiles:
    """Compile the files in a scratch folder; return the resources, or the errors by path."""
    for path in sorted(folder.rglob("*.yaml")) if folder.exists() else ():
        if path.name != _SECRETS_FILE:
            path.unlink()
    _write_files(folder, files)
    if secrets and not (folder / _SECRETS_FILE).exists():
        writer = SopsWriter(folder, SecretsPolicy(frozenset({"age"}), (), require_scope=False))
        values = {"_scope": "organization", **secrets}
        (folder / _SECRETS_FILE).write_bytes(
            writer.encrypt(_SECRETS_FILE, "yaml", values, RecipientKeys(age=recipients))
        )
    run = Run(tree_request(DirectoryTree(find_root(folder)), allow_empty=True, control_plane=True))
    for _ in check_results(run, run.select_writers()):
        pass
    error_paths = run.severities.error_paths(run.diags)
    errors = {
        diagnostic.span.path: diagnostic.message for diagnostic in run.diags if diagnostic.span.path in error_paths
    }
    if run.desired is None and not errors:
        errors = {"": "it has nothing to compile"}
    return CompiledFiles(run.desired or (), errors)


def _write_files(folder: Path, files: Iterable[ExtractedFile]) -> None:
    for file in files:
        path = folder / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(render_tree_file(file.data), encoding="utf-8")


def _write_tree(folder: Path, ids: Path, imported: ImportableTree, secrets: bytes | None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    _write_files(folder, imported.files)
    if secrets:
        (folder / _SECRETS_FILE).write_bytes(secrets)
    store_managed_ids(ids, imported.ids)


def _report_import(imported: ImportableTree, live: LiveState, folder: Path, *, has_secrets: bool) -> None:
    out("".join(f"{printable(str(folder / file.path))}\n" for file in imported.files))
    if has_secrets:
        out(f"{printable(str(folder / _SECRETS_FILE))}\n")
    if any(file.ref.kind == "team" for file in imported.files):
        err("the control plane does not tell the environments of teams: add them before you change one\n")
    for ref, why in sorted(imported.skipped.items()):
        err(f"left alone: {printable(str(ref))}: {printable(why)}\n")
    imported_refs = {file.ref for file in imported.files}
    others = [
        ref for ref in live.objects if ref not in imported_refs and ref not in imported.skipped and _is_reportable(ref)
    ]
    more = f", {plural(len(imported.skipped) + len(others), 'object')} left alone" if imported.skipped or others else ""
    err(f"wrote {plural(len(imported.files), 'file')}{more}; next: envtree -C {printable(str(folder))} plan\n")


def _is_reportable(ref: ResourceRef) -> bool:
    return str(ref) not in ("environment/default", "project/DEFAULT")
