"""`envtree impact`: the bundles that files feed, on stdout."""

import os
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import NamedTuple

from envtree.cli.support.exits import ExitCode
from envtree.cli.support.options import is_utf8, usage_error
from envtree.cli.support.query_answer import report_blocking_errors, write_answer
from envtree.cli.support.session import candidate_paths, open_tree, start_run, tree_request
from envtree.diagnostics.suggest import nearest_name
from envtree.queries.fleet.impact import Impact, impact
from envtree.queries.fleet.to_json import impact_data
from envtree.report.impact import render_impact
from envtree.sources.tree import DirectoryTree
from envtree.system.console import out


class ImpactOptions(NamedTuple):
    """The command line."""

    directory: Path
    files: tuple[str, ...]
    form: str
    verbose: bool
    color: str


def run(options: ImpactOptions) -> ExitCode:
    """Tell what files feed."""
    tree = open_tree(options.directory)
    with start_run(tree_request(tree, allow_empty=None)) as work:
        known = {*work.files, *(one.path for one in work.workspace.sops_configs)} if work.workspace else {*work.files}
        paths = dict.fromkeys(_resolve_path(file, tree, known) for file in options.files)
        found = impact(work, tuple(paths)) if work.workspace else ()
    if report_blocking_errors(work, tree, options.color):
        return ExitCode.FAILURE
    if options.form == "ids":
        out("".join(f"{id}\n" for id in _all_bundle_ids(found)))
        return ExitCode.OK
    return write_answer(
        options.form,
        options.color,
        lambda: impact_data(found),
        lambda color: render_impact(found, work.ids, color=color, verbose=options.verbose),
    )


def _all_bundle_ids(impacts: Iterable[Impact]) -> list[str]:
    return sorted({id for one in impacts for id in one.bundles})


def _resolve_path(text: str, tree: DirectoryTree, known_paths: Collection[str]) -> str:
    """The path of a file from the root of the tree, or as it was given if it lies elsewhere and means nothing."""
    if not is_utf8(text):
        raise usage_error("the name of a file is text in UTF-8", "rename it")
    found = [
        (file, path or _outside_path(file, text, tree.root, known_paths))
        for file, path in candidate_paths(text, tree.root)
    ]
    for file, path in found:
        if file.is_dir():
            raise usage_error(f"'{text}' is a folder", "name the files in it")
        if path in known_paths or os.path.lexists(file):
            return path
    names = [path for _, path in found]
    meant = next(filter(None, (nearest_name(name, known_paths) for name in names)), "")
    places = "this folder, to the root of the tree, or to that of the repository"
    hint = f"did you mean '{meant}'?" if meant else f"name a file relative to {places}"
    raise usage_error(f"there is no file '{text}'", hint)


def _outside_path(file: Path, text: str, root: Path, known_paths: Collection[str]) -> str:
    """The name of a file that lies elsewhere: from the root of the tree if it means something, else as it was given."""
    path = Path(os.path.relpath(file, root)).as_posix()
    return path if path in known_paths else text
