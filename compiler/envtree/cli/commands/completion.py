"""`envtree completion`: a script for the shell on stdout."""

from pathlib import Path
from typing import NamedTuple

from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

from envtree.cli import COMPLETE, cli
from envtree.cli.support.console import out
from envtree.cli.support.exits import Exit

_SHELLS: dict[str, type[ShellComplete]] = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}
# Bash splits words at `@`, which every id holds.
_BASH = "COMP_WORDBREAKS=${COMP_WORDBREAKS//@/}\n"


class Options(NamedTuple):
    """The command line."""

    directory: Path
    shell: str


def run(options: Options) -> Exit:
    """Print the script."""
    shell = _SHELLS[options.shell]
    script = (_BASH if options.shell == "bash" else "") + shell(cli, {}, "envtree", COMPLETE).source()
    out(script.encode())
    return Exit.OK
