"""`envtree cache clear`: forget all earlier runs."""

import os
from pathlib import Path
from typing import NamedTuple

from envtree.cli.support.console import err
from envtree.cli.support.exits import Exit
from envtree.diagnostics.printable import printable
from envtree.engine import cache
from envtree.report import plural


class Options(NamedTuple):
    """The command line."""

    directory: Path


def run(_: Options) -> Exit:
    """Remove what is there."""
    folder = cache.find(os.environ)
    if folder is None:
        err("there is no cache, as no folder for one belongs to you alone\n")
        return Exit.OK
    err(printable(f"removed {plural(folder.clear(), 'file')} from '{folder.path}'") + "\n")
    return Exit.OK
