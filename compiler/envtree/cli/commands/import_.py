"""`envtree import`: what the control plane has becomes a tree, or a part of the one that we are in."""

import tempfile
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from envtree.cli.support.console import err, out
from envtree.cli.support.control_plane import kept, reached
from envtree.cli.support.exits import Exit
from envtree.cli.support.options import usage_error
from envtree.cli.support.session import open_tree
from envtree.controlplane.api.client import Client, RefusedError, connected
from envtree.controlplane.api.reading import Live, owner, read
from envtree.controlplane.desired import Ref
from envtree.controlplane.sync.extract import File
from envtree.controlplane.sync.ids import PLACE, store
from envtree.controlplane.sync.marker import marker
from envtree.controlplane.sync.tree_text import tree_text
from envtree.controlplane.sync.trial import Compiled, Imported, trial
from envtree.controlplane.sync.vault import fetched
from envtree.diagnostics.printable import printable
from envtree.engine.check import examined
from envtree.engine.run import Request, Run
from envtree.model.diagnostic import Refusal
from envtree.model.secrets_file import SecretsPolicy
from envtree.report import plural
from envtree.secrets.sops.writing import Keys, SopsWriter
from envtree.sources.tree import DirectoryTree, find_root
from envtree.system import disk

_SECRETS = "organization.secrets.yaml"


class Options(NamedTuple):
    """The command line."""

    directory: Path
    target: Path | None
    recipients: tuple[str, ...]
    adopt: tuple[str, ...]
    ids: str


def run(options: Options) -> Exit:
    """Write a tree, or note what belongs to one."""
    if bool(options.target) == bool(options.adopt):
        raise usage_error(
            "say where to write the tree, or with --adopt what to take over", "as in: envtree import acme"
        )
    where = reached()
    with connected(where) as client:
        try:
            return _adopted(client, options) if options.adopt else _imported(client, options)
        except RefusedError as refused:
            raise refused.failure() from None


def _adopted(client: Client, options: Options) -> Exit:
    tree = open_tree(options.directory)
    run = Run(Request(tree, allow_empty=True))
    organization = str(run.workspace.organization.fields["name"]) if run.workspace else ""
    live, held = read(client, organization), kept(tree, options.ids, organization)
    ids = held.ids
    for pattern in options.adopt:
        found = [ref for ref in live.objects if fnmatchcase(str(ref), pattern) and "id" in live.objects[ref]]
        if not found:
            raise usage_error(f"'{pattern}' is nothing at the control plane", "'envtree plan' shows what there is")
        for ref in found:
            ids = ids.with_object(ref, str(live.objects[ref]["id"]))
            out(f"{printable(str(ref))}\n")
    store(held.path, ids)
    return Exit.OK


def _imported(client: Client, options: Options) -> Exit:
    assert options.target
    folder = options.directory / options.target
    if folder.exists() and any(folder.iterdir()):
        raise Refusal("ET807", f"'{folder}' is not empty, and nothing is overwritten", "choose another folder")
    live = read(client, owner(client))
    taken = next((ref for ref, one in sorted(live.objects.items()) if marker(ref.kind, one)), None)
    if taken:
        message = f"objects of the control plane belong to a tree already, the first of them {taken}"
        raise Refusal("ET906", message, "work with that tree: two would remove each other's objects")
    secrets = fetched(client, live) if options.recipients else {}
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch) / "tree"
        found = trial(live, lambda files: _compiled(place, files, secrets, options.recipients))
        with disk.errors(folder):
            ids = Path(options.ids) if options.ids else folder / PLACE
            _write(folder, ids, found, (place / _SECRETS).read_bytes() if secrets else None)
    _tell(found, live, folder, sealed=bool(secrets))
    return Exit.OK


def _compiled(place: Path, files: Iterable[File], secrets: dict[str, str], recipients: tuple[str, ...]) -> Compiled:
    """Compile files in a folder of their own."""
    for file in sorted(place.rglob("*.yaml")) if place.exists() else ():
        if file.name != _SECRETS:
            file.unlink()
    for one in files:
        (place / one.path).parent.mkdir(parents=True, exist_ok=True)
        (place / one.path).write_text(tree_text(one.data), encoding="utf-8")
    if secrets and not (place / _SECRETS).exists():
        writer = SopsWriter(place, SecretsPolicy(frozenset({"age"}), (), require_scope=False))
        plain = {"_scope": "organization", **secrets}
        (place / _SECRETS).write_bytes(writer.encrypt(_SECRETS, "yaml", plain, Keys(age=recipients)))
    run = Run(Request(DirectoryTree(find_root(place)), allow_empty=True, control_plane=True))
    for _ in examined(run, run.writers()):
        pass
    errors = run.severities.errors(run.diags)
    wrong = {each.span.path: each.message for each in run.diags if each.span.path in errors}
    return Compiled(run.desired or (), wrong or ({} if run.desired is not None else {"": "it has nothing to compile"}))


def _write(folder: Path, ids: Path, found: Imported, secrets: bytes | None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for one in found.files:
        (folder / one.path).parent.mkdir(parents=True, exist_ok=True)
        (folder / one.path).write_text(tree_text(one.data), encoding="utf-8")
    if secrets:
        (folder / _SECRETS).write_bytes(secrets)
    store(ids, found.ids)


def _tell(found: Imported, live: Live, folder: Path, *, sealed: bool) -> None:
    out("".join(f"{printable(str(folder / one.path))}\n" for one in found.files))
    if sealed:
        out(f"{printable(str(folder / _SECRETS))}\n")
    if any(one.ref.kind == "team" for one in found.files):
        err("the control plane does not tell the environments of teams: add them before you change one\n")
    for ref, why in sorted(found.left.items()):
        err(f"left alone: {printable(str(ref))}: {printable(why)}\n")
    named = {one.ref for one in found.files}
    others = [ref for ref in live.objects if ref not in named and ref not in found.left and _counts(ref)]
    more = f", {plural(len(found.left) + len(others), 'object')} left alone" if found.left or others else ""
    err(f"wrote {plural(len(found.files), 'file')}{more}; next: envtree -C {printable(str(folder))} plan\n")


def _counts(ref: Ref) -> bool:
    return str(ref) not in ("environment/default", "project/DEFAULT")
