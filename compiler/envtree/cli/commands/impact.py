"""Implementation of `envtree impact`: the bundles that files feed, on stdout."""

import os
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import NamedTuple

from envtree.cli.support.exits import ExitCode
from envtree.cli.support.options import is_utf8, usage_error
from envtree.cli.support.query_answer import has_answer, report_incompleteness, write_answer
from envtree.cli.support.session import candidate_paths, open_tree, start_run, tree_request
from envtree.diagnostics.suggest import nearest_name
from envtree.queries.fleet.impact import Impact, impact
from envtree.queries.fleet.to_json import impact_data
from envtree.report.impact import render_impact
from envtree.sources.tree import DirectoryTree
from envtree.system.console import out


class ImpactOptions(NamedTuple):
    """The parameters of the command."""

    directory: Path
    files: tuple[str, ...]
    selectors: tuple[str, ...]
    form: str
    verbose: bool
    color: str


def run(options: ImpactOptions) -> ExitCode:
    """Report the bundles that the files feed."""
    tree = open_tree(options.directory)
    with start_run(tree_request(tree, selectors=options.selectors, allow_empty=None)) as run:
        known_paths = {*run.files}
        if run.workspace:
            known_paths |= {config.path for config in run.workspace.sops_configs}
        paths = dict.fromkeys(_resolve_path(file, tree, known_paths) for file in options.files)
        impacts = impact(run, tuple(paths)) if run.workspace else ()
    code = report_incompleteness(run, tree, options.color)
    if not has_answer(run, code):
        return code
    if options.form == "ids":
        out("".join(f"{id}\n" for id in _all_bundle_ids(impacts)))
        return code
    write_answer(
        options.form,
        options.color,
        lambda: impact_data(impacts),
        lambda color: render_impact(impacts, run.ids, color=color, verbose=options.verbose),
    )
    return code


def _all_bundle_ids(impacts: Iterable[Impact]) -> list[str]:
    return sorted({id for impact in impacts for id in impact.bundles})


def _resolve_path(text: str, tree: DirectoryTree, known_paths: Collection[str]) -> str:
    """Return the path of a file relative to the root of the tree, or unchanged if it is outside and no source of it."""
    if not is_utf8(text):
        raise usage_error("the name of a file is text in UTF-8", "rename it")
    candidates = [
        (file, path or _outside_path(file, text, tree.root, known_paths))
        for file, path in candidate_paths(text, tree.root)
    ]
    for file, path in candidates:
        if file.is_dir():
            raise usage_error(f"'{text}' is a folder", "name the files in it")
        if path in known_paths or os.path.lexists(file):
            return path
    names = [path for _, path in candidates]
    suggestion = next(filter(None, (nearest_name(name, known_paths) for name in names)), "")
    locations = "this folder, to the root of the tree, or to that of the repository"
    hint = f"did you mean '{suggestion}'?" if suggestion else f"name a file relative to {locations}"
    raise usage_error(f"there is no file '{text}'", hint)


def _outside_path(file: Path, text: str, root: Path, known_paths: Collection[str]) -> str:
    """Return the path of a file outside the tree: relative to its root if it is a known path, else unchanged."""
    path = Path(os.path.relpath(file, root)).as_posix()
    return path if path in known_paths else text
