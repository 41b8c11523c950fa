"""Open compiled bundles: sealed ones with the key of a reader, references also with the tree."""

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
    """An output with its resolved bundles, the formats that they can be written in, and the tree if there is one."""

    output: CompiledOutput
    bundles: tuple[UnsealedBundle, ...]
    writers: Writers
    tree: DirectoryTree | None


def open_compiled_output(source: Path, directory: Path, color: str) -> OpenedOutput | None:
    """Resolve the bundles of a folder; report the errors and return None if the tree that they refer to has any."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    output = load_output(source)
    references = find_references(output)
    tree = open_tree(directory) if references else _find_tree(directory)
    run = Run(tree_request(tree, allow_empty=True)) if tree else None
    if tree and run and references and run.error_monitor.has_errors():
        # Never ask for a key for a tree with errors.
        print_findings(tree, build_report(run.outcome()), color)
        return None
    secrets = decrypt_references(run, references, decrypter_factory(tree)) if tree and run and references else {}
    bundles = tuple(unseal(output, secrets, partial(select_decrypter, tree=tree.root if tree else None)))
    return OpenedOutput(output, bundles, _available_writers(output, run), tree)


def bundle_variables(bundle: Bundle, writers: Writers) -> Mapping[str, str]:
    """Return the variables of a bundle in clear, including those that the organization makes of its sections."""
    written = write_formats(bundle, "plain", Writers(("json-env",), writers.settings))
    check_representable(written, bundle)
    variables: dict[str, str] = json.loads(written.files[0][1])
    return variables


def _find_tree(directory: Path) -> DirectoryTree | None:
    """Return the tree around a folder, or None: sealed bundles need it only for the format settings in it."""
    try:
        return DirectoryTree(find_root(directory))
    except (RootNotFoundError, MachineError):
        return None


def _available_writers(output: CompiledOutput, run: Run | None) -> Writers:
    """Return writers for all formats, with the settings of the organization if its tree is available."""
    workspace = run.workspace if run and not run.error_monitor.has_errors() else None
    organizations = {bundle.data["organization"] for bundle in output.bundles}
    if run is None or workspace is None or organizations != {workspace.organization.fields["name"]}:
        return Writers(tuple(name for name in FORMAT_NAMES if name not in ("bundle", "template")))
    writers = run.select_writers(frozenset(FORMAT_NAMES))
    if writers.settings.kubernetes.hash_suffix:
        # The suffix is a hash over ciphertexts, which are not available here.
        return writers._replace(formats=tuple(name for name in writers.formats if name != "k8s"))
    return writers
