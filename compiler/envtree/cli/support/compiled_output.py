"""Compiled bundles, opened for a command: with the key of a reader, and for references with the tree."""

import json
import resource
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from envtree.cli.support.session import build_report, decrypter_factory, open_tree, print_findings, tree_request
from envtree.engine.run import Run
from envtree.model.diagnostic import MachineError
from envtree.model.formats import FORMAT_NAMES
from envtree.model.resolved import Bundle
from envtree.output.emit import Writers, write_formats
from envtree.secrets.sops.select_decrypter import select_decrypter
from envtree.secrets.unseal import (
    CompiledOutput,
    UnsealedBundle,
    check_representable,
    decrypt_references,
    find_references,
    load_output,
    unseal,
)
from envtree.sources.tree import DirectoryTree, RootNotFoundError, find_root


class OpenedOutput(NamedTuple):
    """An output, its bundles resolved, what they can be written with, and the tree if there is one."""

    output: CompiledOutput
    bundles: tuple[UnsealedBundle, ...]
    writers: Writers
    tree: DirectoryTree | None


def open_compiled_output(source: Path, directory: Path, color: str) -> OpenedOutput | None:
    """The bundles of a folder in clear; None if the tree that they refer to has errors, which are told."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    output = load_output(source)
    wanted = find_references(output)
    tree = open_tree(directory) if wanted else _find_tree(directory)
    work = Run(tree_request(tree, allow_empty=True)) if tree else None
    if tree and work and wanted and work.error_monitor.has_errors():
        # A tree with errors is never worth a key.
        print_findings(tree, build_report(work.outcome()), color)
        return None
    kept = decrypt_references(work, wanted, decrypter_factory(tree)) if tree and work and wanted else {}
    found = tuple(unseal(output, kept, partial(select_decrypter, tree=tree.root if tree else None)))
    return OpenedOutput(output, found, _available_writers(output, work), tree)


def bundle_variables(bundle: Bundle, writers: Writers) -> Mapping[str, str]:
    """The variables of a bundle in clear, those that the organization makes of its sections included."""
    told = write_formats(bundle, "plain", Writers(("json-env",), writers.settings))
    check_representable(told, bundle)
    variables: dict[str, str] = json.loads(told.files[0][1])
    return variables


def _find_tree(directory: Path) -> DirectoryTree | None:
    """The tree of sealed bundles, which need none but for what the organization says about formats."""
    try:
        return DirectoryTree(find_root(directory))
    except (RootNotFoundError, MachineError):
        return None


def _available_writers(output: CompiledOutput, work: Run | None) -> Writers:
    """All formats as the organization has them; without its tree, as they are by themselves."""
    workspace = work.workspace if work and not work.error_monitor.has_errors() else None
    owners = {bundle.data["organization"] for bundle in output.bundles}
    if work is None or workspace is None or owners != {workspace.organization.fields["name"]}:
        return Writers(tuple(name for name in FORMAT_NAMES if name not in ("bundle", "template")))
    found = work.select_writers(frozenset(FORMAT_NAMES))
    if found.settings.kubernetes.hash_suffix:
        # The suffix is a hash over ciphertexts, which are not here.
        return found._replace(formats=tuple(name for name in found.formats if name != "k8s"))
    return found
