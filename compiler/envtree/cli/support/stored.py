"""Compiled bundles, opened for a command: with the key of a reader, and for references with the tree."""

import json
import resource
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from envtree.cli.support.session import decrypter, open_tree, report_of, tell
from envtree.engine.run import Request, Run
from envtree.model.diagnostic import Failure
from envtree.model.formats import NAMES
from envtree.model.resolved import Bundle
from envtree.output.emit import Writers, written
from envtree.secrets.sops.choice import choose
from envtree.secrets.unseal import Output, Unsealed, check_fit, load, open_kept, references, unseal
from envtree.sources.tree import DirectoryTree, RootNotFound, find_root


class Opened(NamedTuple):
    """An output, its bundles resolved, what they can be written with, and the tree if there is one."""

    output: Output
    bundles: tuple[Unsealed, ...]
    writers: Writers
    tree: DirectoryTree | None


def opened(source: Path, directory: Path, color: str) -> Opened | None:
    """The bundles of a folder in clear; None if the tree that they refer to has errors, which are told."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    output = load(source)
    wanted = references(output)
    tree = open_tree(directory) if wanted else _tree(directory)
    work = Run(Request(tree, allow_empty=True)) if tree else None
    if tree and work and wanted and work.watch.found():
        # A tree with errors is never worth a key.
        tell(tree, report_of(work.outcome()), color)
        return None
    kept = open_kept(work, wanted, decrypter(tree)) if tree and work and wanted else {}
    found = tuple(unseal(output, kept, partial(choose, tree=tree.root if tree else None)))
    return Opened(output, found, _writers(output, work), tree)


def process_environment(bundle: Bundle, found: Writers) -> Mapping[str, str]:
    """The variables of a bundle in clear, those that the organization makes of its sections included."""
    told = written(bundle, "plain", Writers(("json-env",), found.settings))
    check_fit(told, bundle)
    variables: dict[str, str] = json.loads(told.files[0][1])
    return variables


def _tree(directory: Path) -> DirectoryTree | None:
    """The tree of sealed bundles, which need none but for what the organization says about formats."""
    try:
        return DirectoryTree(find_root(directory))
    except (RootNotFound, Failure):
        return None


def _writers(output: Output, work: Run | None) -> Writers:
    """All formats as the organization has them; without its tree, as they are by themselves."""
    workspace = work.workspace if work and not work.watch.found() else None
    owners = {bundle.data["organization"] for bundle in output.bundles}
    if work is None or workspace is None or owners != {workspace.organization.fields["name"]}:
        return Writers(tuple(name for name in NAMES if name not in ("bundle", "template")))
    found = work.writers(frozenset(NAMES))
    if found.settings.kubernetes.hash_suffix:
        # The suffix is a hash over ciphertexts, which are not here.
        return found._replace(formats=tuple(name for name in found.formats if name != "k8s"))
    return found
