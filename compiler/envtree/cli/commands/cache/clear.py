"""Implementation of `envtree cache clear`: delete the cache of earlier runs."""

import os
from pathlib import Path
from typing import NamedTuple

from envtree.cli.support.exits import ExitCode
from envtree.diagnostics.printable import printable
from envtree.diagnostics.summary import plural
from envtree.engine import cache
from envtree.system.console import err


class CacheClearOptions(NamedTuple):
    """The parameters of the command."""

    directory: Path


def run(options: CacheClearOptions) -> ExitCode:
    """Delete all files in the cache folder."""
    folder = cache.find_cache_folder(os.environ)
    if folder is None:
        err("there is no cache, as no folder for one belongs to you alone\n")
        return ExitCode.OK
    err(printable(f"removed {plural(folder.clear(), 'file')} from '{folder.path}'") + "\n")
    return ExitCode.OK
