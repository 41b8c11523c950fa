"""`envtree secrets diff-driver`: a secrets file as lines that git compares."""

from pathlib import Path
from typing import NamedTuple

from envtree.cli.support.console import out
from envtree.cli.support.exits import Exit
from envtree.model.diagnostic import Failure, reason
from envtree.secrets.edit.summary import summary


class Options(NamedTuple):
    """The command line."""

    directory: Path
    file: str


def run(options: Options) -> Exit:
    """Show the lines; git stops a diff whose driver fails, so a broken file has a line as well."""
    try:
        data = Path(options.file).read_bytes()
    except OSError as error:
        raise Failure("ET805", f"cannot read '{options.file}': {reason(error)}") from None
    out(summary(data, Path(options.file).name))
    return Exit.OK
