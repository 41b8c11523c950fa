"""Implementation of `envtree unseal`: compiled bundles with their secrets in clear, on stdout or in a folder."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from envtree import EDITION
from envtree.cli.support.compiled_output import OpenedOutput, open_compiled_output
from envtree.cli.support.exits import ExitCode
from envtree.cli.support.options import usage_error
from envtree.cli.support.reveal import check_reveal
from envtree.diagnostics.printable import printable
from envtree.diagnostics.summary import plural
from envtree.model.artifact import Output
from envtree.model.canonical_json import encode_canonical
from envtree.model.secret_entries import SEALED_SECRETS_FILE
from envtree.output.emit import bundle_json
from envtree.output.write import write
from envtree.system.console import err, out


class UnsealOptions(NamedTuple):
    """The parameters of the command."""

    directory: Path
    source: Path
    output: Path | None
    force: bool


def run(options: UnsealOptions) -> ExitCode:
    """Resolve compiled bundles, and print or write them."""
    if options.output is None:
        check_reveal("without -o, unseal", force=options.force)
    elif options.source.resolve().is_relative_to(options.output.resolve()):
        raise usage_error("the bundles lie in the output folder", "choose another folder")
    opened = open_compiled_output(options.source, options.directory, "auto")
    if opened is None:
        return ExitCode.FAILURE
    if options.output is not None:
        return _write_bundles(opened, options.output)
    if len(opened.bundles) != 1:
        raise usage_error(
            f"'{options.source}' holds {plural(len(opened.bundles), 'bundle')}", "name one, or use -o DIR"
        )
    data = bundle_json(opened.bundles[0].bundle, "plain")
    out(encode_canonical(data))
    return ExitCode.OK


def _write_bundles(opened: OpenedOutput, folder: Path) -> ExitCode:
    """Write the bundles as `compile` does; if the source is a single bundle, keep the other bundles of the output."""
    root = opened.tree.root if opened.tree else opened.output.root
    manifest = opened.output.manifest
    edition, inputs = (manifest.edition, manifest.inputs) if manifest else (EDITION, {})
    ids = {bundle.compiled.target.id for bundle in opened.bundles}
    is_selected: Callable[[str], bool] = (lambda _: True) if manifest else ids.__contains__
    output = Output(folder, tree_root=root, mode="plain", edition=edition, inputs=inputs, is_selected=is_selected)
    artifacts = [bundle.artifact(opened.writers) for bundle in opened.bundles]
    write(artifacts, output, lambda: True)
    missing = {
        name
        for bundle, artifact in zip(opened.bundles, artifacts, strict=True)
        for name in {*bundle.compiled.names} - {SEALED_SECRETS_FILE} - {name for name, _ in artifact.files}
    }
    if missing:
        err(f"left out, because the tree says how to make them: {', '.join(map(printable, sorted(missing)))}\n")
    err(f"wrote {plural(len(opened.bundles), 'bundle')} to '{printable(str(folder))}'\n")
    return ExitCode.OK
