"""`envtree unseal`: compiled bundles with their secrets in clear, on stdout or in a folder."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from envtree import EDITION
from envtree.cli.support.console import err, out
from envtree.cli.support.exits import Exit
from envtree.cli.support.options import usage_error
from envtree.cli.support.reveal import check_reveal
from envtree.cli.support.stored import Opened, opened
from envtree.diagnostics.printable import printable
from envtree.model.artifact import Output
from envtree.model.canonical_json import canonical
from envtree.model.secret_placeholders import SEALED_FILE
from envtree.output.emit import materialize
from envtree.output.write import write
from envtree.report import plural


class Options(NamedTuple):
    """The command line."""

    directory: Path
    source: Path
    output: Path | None
    force: bool


def run(options: Options) -> Exit:
    """Resolve what was compiled, and print or write it."""
    if options.output is None:
        check_reveal("without -o, unseal", force=options.force)
    elif options.source.resolve().is_relative_to(options.output.resolve()):
        raise usage_error("the bundles lie in the output folder", "choose another folder")
    found = opened(options.source, options.directory, "auto")
    if found is None:
        return Exit.FOUND
    if options.output is not None:
        return _write(found, options.output)
    if len(found.bundles) != 1:
        raise usage_error(f"'{options.source}' holds {plural(len(found.bundles), 'bundle')}", "name one, or use -o DIR")
    data = materialize(found.bundles[0].bundle, "plain")
    out(canonical(data))
    return Exit.OK


def _write(found: Opened, folder: Path) -> Exit:
    """Write the bundles as `compile` does; of a single one, the others that are there are left alone."""
    root = found.tree.root if found.tree else found.output.root
    manifest = found.output.manifest
    edition, inputs = (manifest.edition, manifest.inputs) if manifest else (EDITION, {})
    ids = {one.stored.target.id for one in found.bundles}
    selects: Callable[[str], bool] = (lambda _: True) if manifest else ids.__contains__
    output = Output(folder, root, "plain", edition, inputs, selects)
    artifacts = [one.artifact(found.writers) for one in found.bundles]
    write(artifacts, output, lambda: True)
    missing = {
        name
        for one, artifact in zip(found.bundles, artifacts, strict=True)
        for name in {*one.stored.names} - {SEALED_FILE} - {name for name, _ in artifact.files}
    }
    if missing:
        err(f"left out, because the tree says how to make them: {', '.join(map(printable, sorted(missing)))}\n")
    err(f"wrote {plural(len(found.bundles), 'bundle')} to '{printable(str(folder))}'\n")
    return Exit.OK
