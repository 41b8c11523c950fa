"""`envtree impact`: the bundles that files feed, on stdout."""

import os
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import NamedTuple

from envtree.cli.support.console import out
from envtree.cli.support.exits import Exit
from envtree.cli.support.fleet import answer, refused
from envtree.cli.support.options import is_text, usage_error
from envtree.cli.support.session import candidates, open_tree, running
from envtree.diagnostics.suggest import nearest
from envtree.engine.run import Request
from envtree.queries.fleet.impact import Impact, impact
from envtree.queries.fleet.to_json import impact_data
from envtree.report.impact import impact_text
from envtree.sources.tree import DirectoryTree


class Options(NamedTuple):
    """The command line."""

    directory: Path
    files: tuple[str, ...]
    form: str
    verbose: bool
    color: str


def run(options: Options) -> Exit:
    """Tell what files feed."""
    tree = open_tree(options.directory)
    with running(Request(tree, allow_empty=None)) as work:
        known = {*work.files, *(one.path for one in work.workspace.rules)} if work.workspace else {*work.files}
        paths = dict.fromkeys(_placed(file, tree, known) for file in options.files)
        found = impact(work, tuple(paths)) if work.workspace else ()
    if refused(work, tree, options.color):
        return Exit.FOUND
    if options.form == "ids":
        out("".join(f"{id}\n" for id in _union(found)))
        return Exit.OK
    return answer(
        options.form,
        options.color,
        lambda: impact_data(found),
        lambda color: impact_text(found, work.ids, color=color, whole=options.verbose),
    )


def _union(found: Iterable[Impact]) -> list[str]:
    return sorted({id for one in found for id in one.bundles})


def _placed(text: str, tree: DirectoryTree, known: Collection[str]) -> str:
    """The path of a file from the root of the tree, or as it was given if it lies elsewhere and means nothing."""
    if not is_text(text):
        raise usage_error("the name of a file is text in UTF-8", "rename it")
    found = [(file, path or _outside(file, text, tree.root, known)) for file, path in candidates(text, tree.root)]
    for file, path in found:
        if file.is_dir():
            raise usage_error(f"'{text}' is a folder", "name the files in it")
        if path in known or os.path.lexists(file):
            return path
    names = [path for _, path in found]
    meant = next(filter(None, (nearest(name, known) for name in names)), "")
    places = "this folder, to the root of the tree, or to that of the repository"
    hint = f"did you mean '{meant}'?" if meant else f"name a file relative to {places}"
    raise usage_error(f"there is no file '{text}'", hint)


def _outside(file: Path, text: str, root: Path, known: Collection[str]) -> str:
    """The name of a file that lies elsewhere: from the root of the tree if it means something, else as it was given."""
    path = Path(os.path.relpath(file, root)).as_posix()
    return path if path in known else text
