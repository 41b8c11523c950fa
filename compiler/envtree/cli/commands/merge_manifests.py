"""Implementation of `envtree merge-manifests`: merge the outputs of several machines."""

from pathlib import Path
from typing import NamedTuple

from envtree import EDITION
from envtree.cli.support.exits import ExitCode
from envtree.cli.support.options import usage_error
from envtree.delivery.merge_manifests import merge_manifests
from envtree.diagnostics.printable import printable
from envtree.diagnostics.summary import plural
from envtree.engine.publish import PROJECT_PLACEHOLDER, Destinations
from envtree.model.artifact import Output
from envtree.sources.tree import RootNotFoundError, find_root
from envtree.system.archive import ARCHIVE_SUFFIXES, is_archive
from envtree.system.console import err


class MergeManifestsOptions(NamedTuple):
    """The parameters of the command."""

    directory: Path
    sources: tuple[Path, ...]
    output: Path | None
    archive: Path | None


def run(options: MergeManifestsOptions) -> ExitCode:
    """Merge the outputs and print a summary."""
    if not options.output and not options.archive:
        raise usage_error("nothing says where to write", "add -o DIR, which may be one of the outputs, or --archive")
    if options.archive and (not is_archive(options.archive) or PROJECT_PLACEHOLDER in str(options.archive)):
        raise usage_error(
            f"'{options.archive}' is no archive that can be made", f"end it in {' or '.join(ARCHIVE_SUFFIXES)}"
        )
    root = _enclosing_root(options.directory)

    def output(path: Path | None) -> Output | None:
        if path is None:
            return None
        return Output(path, tree_root=root, mode="plain", edition=EDITION, inputs={}, is_selected=lambda _: True)

    manifest = merge_manifests(options.sources, Destinations(output(options.output), output(options.archive)))
    locations = " and ".join(f"'{path}'" for path in (options.output, options.archive) if path)
    bundles, outputs = plural(len(manifest.bundles), "bundle"), plural(len(options.sources), "output")
    err(f"{printable(f'merged {bundles} of {outputs} into {locations}')}\n")
    return ExitCode.OK


def _enclosing_root(directory: Path) -> Path | None:
    """Return the root of the tree around a folder, into which no output may be written; None if there is no tree."""
    try:
        return find_root(directory)
    except RootNotFoundError:
        return None
