"""`envtree merge-manifests`: the outputs of several machines become one."""

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
    """The command line."""

    directory: Path
    sources: tuple[Path, ...]
    output: Path | None
    archive: Path | None


def run(options: MergeManifestsOptions) -> ExitCode:
    """Combine the outputs, and say what they have become."""
    if not options.output and not options.archive:
        raise usage_error("nothing says where to write", "add -o DIR, which may be one of the outputs, or --archive")
    if options.archive and (not is_archive(options.archive) or PROJECT_PLACEHOLDER in str(options.archive)):
        raise usage_error(
            f"'{options.archive}' is no archive that can be made", f"end it in {' or '.join(ARCHIVE_SUFFIXES)}"
        )
    root = _enclosing_root(options.directory)

    def at(path: Path | None) -> Output | None:
        return Output(path, root, "plain", EDITION, {}, lambda _: True) if path else None

    manifest = merge_manifests(options.sources, Destinations(at(options.output), at(options.archive)))
    where = " and ".join(f"'{path}'" for path in (options.output, options.archive) if path)
    bundles, outputs = plural(len(manifest.bundles), "bundle"), plural(len(options.sources), "output")
    err(f"{printable(f'merged {bundles} of {outputs} into {where}')}\n")
    return ExitCode.OK


def _enclosing_root(directory: Path) -> Path | None:
    """The tree around, in whose folders nothing is written; where outputs are merged there need not be any."""
    try:
        return find_root(directory)
    except RootNotFoundError:
        return None
