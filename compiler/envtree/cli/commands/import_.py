"""`envtree import`: what the control plane has becomes a tree, or a part of the one that we are in."""

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

_SECRETS = "organization.secrets.yaml"


class ImportOptions(NamedTuple):
    """The command line."""

    directory: Path
    target: Path | None
    recipients: tuple[str, ...]
    adopt: tuple[str, ...]
    ids: str


def run(options: ImportOptions) -> ExitCode:
    """Write a tree, or note what belongs to one."""
    if bool(options.target) == bool(options.adopt):
        raise usage_error(
            "say where to write the tree, or with --adopt what to take over", "as in: envtree import acme"
        )
    where = require_access()
    with control_plane_client(where) as client:
        try:
            return _adopt(client, options) if options.adopt else _import_tree(client, options)
        except ApiError as refused:
            raise refused.to_machine_error() from None


def _adopt(client: Client, options: ImportOptions) -> ExitCode:
    tree = open_tree(options.directory)
    run = Run(tree_request(tree, allow_empty=True))
    organization = str(run.workspace.organization.fields["name"]) if run.workspace else ""
    live, held = read_live_state(client, organization), load_ids_file(tree, options.ids, organization)
    ids = held.ids
    for pattern in options.adopt:
        found = [ref for ref in live.objects if fnmatchcase(str(ref), pattern) and "id" in live.objects[ref]]
        if not found:
            raise usage_error(f"'{pattern}' is nothing at the control plane", "'envtree plan' shows what there is")
        for ref in found:
            ids = ids.with_object(ref, str(live.objects[ref]["id"]))
            out(f"{printable(str(ref))}\n")
    store_managed_ids(held.path, ids)
    return ExitCode.OK


def _import_tree(client: Client, options: ImportOptions) -> ExitCode:
    assert options.target
    folder = options.directory / options.target
    if folder.exists() and any(folder.iterdir()):
        raise RefusedError("ET807", f"'{folder}' is not empty, and nothing is overwritten", "choose another folder")
    live = read_live_state(client, read_key_organization(client))
    taken = next((ref for ref, one in sorted(live.objects.items()) if read_marker(ref.kind, one)), None)
    if taken:
        message = f"objects of the control plane belong to a tree already, the first of them {taken}"
        raise RefusedError("ET906", message, "work with that tree: two would remove each other's objects")
    secrets = fetch_secrets(client, live) if options.recipients else {}
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch) / "tree"
        found = find_importable_tree(live, lambda files: _compile_files(place, files, secrets, options.recipients))
        with disk.translate_os_errors(folder):
            ids = Path(options.ids) if options.ids else folder / MANAGED_IDS_PATH
            _write_tree(folder, ids, found, (place / _SECRETS).read_bytes() if secrets else None)
    _report_import(found, live, folder, has_secrets=bool(secrets))
    return ExitCode.OK


def _compile_files(
    folder: Path, files: Iterable[ExtractedFile], secrets: dict[str, str], recipients: tuple[str, ...]
) -> CompiledFiles:
    """Compile files in a folder of their own."""
    for file in sorted(folder.rglob("*.yaml")) if folder.exists() else ():
        if file.name != _SECRETS:
            file.unlink()
    for one in files:
        (folder / one.path).parent.mkdir(parents=True, exist_ok=True)
        (folder / one.path).write_text(render_tree_file(one.data), encoding="utf-8")
    if secrets and not (folder / _SECRETS).exists():
        writer = SopsWriter(folder, SecretsPolicy(frozenset({"age"}), (), require_scope=False))
        plain = {"_scope": "organization", **secrets}
        (folder / _SECRETS).write_bytes(writer.encrypt(_SECRETS, "yaml", plain, RecipientKeys(age=recipients)))
    run = Run(tree_request(DirectoryTree(find_root(folder)), allow_empty=True, control_plane=True))
    for _ in check_results(run, run.select_writers()):
        pass
    errors = run.severities.error_paths(run.diags)
    wrong = {each.span.path: each.message for each in run.diags if each.span.path in errors}
    return CompiledFiles(
        run.desired or (), wrong or ({} if run.desired is not None else {"": "it has nothing to compile"})
    )


def _write_tree(folder: Path, ids: Path, imported: ImportableTree, secrets: bytes | None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for one in imported.files:
        (folder / one.path).parent.mkdir(parents=True, exist_ok=True)
        (folder / one.path).write_text(render_tree_file(one.data), encoding="utf-8")
    if secrets:
        (folder / _SECRETS).write_bytes(secrets)
    store_managed_ids(ids, imported.ids)


def _report_import(imported: ImportableTree, live: LiveState, folder: Path, *, has_secrets: bool) -> None:
    out("".join(f"{printable(str(folder / one.path))}\n" for one in imported.files))
    if has_secrets:
        out(f"{printable(str(folder / _SECRETS))}\n")
    if any(one.ref.kind == "team" for one in imported.files):
        err("the control plane does not tell the environments of teams: add them before you change one\n")
    for ref, why in sorted(imported.skipped.items()):
        err(f"left alone: {printable(str(ref))}: {printable(why)}\n")
    named = {one.ref for one in imported.files}
    others = [ref for ref in live.objects if ref not in named and ref not in imported.skipped and _is_reportable(ref)]
    more = f", {plural(len(imported.skipped) + len(others), 'object')} left alone" if imported.skipped or others else ""
    err(f"wrote {plural(len(imported.files), 'file')}{more}; next: envtree -C {printable(str(folder))} plan\n")


def _is_reportable(ref: ResourceRef) -> bool:
    return str(ref) not in ("environment/default", "project/DEFAULT")
