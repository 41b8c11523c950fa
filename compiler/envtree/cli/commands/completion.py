"""Implementation of `envtree completion`: print a completion script."""

from pathlib import Path
from typing import NamedTuple

from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

from envtree.cli import COMPLETE_VARIABLE, cli
from envtree.cli.support.exits import ExitCode
from envtree.system.console import out

_SHELLS: dict[str, type[ShellComplete]] = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}
# Bash splits words at `@`, which every bundle id contains.
_BASH = "COMP_WORDBREAKS=${COMP_WORDBREAKS//@/}\n"


class CompletionOptions(NamedTuple):
    """The parameters of the command."""

    directory: Path
    shell: str


def run(options: CompletionOptions) -> ExitCode:
    """Print the script."""
    shell = _SHELLS[options.shell]
    script = (_BASH if options.shell == "bash" else "") + shell(cli, {}, "envtree", COMPLETE_VARIABLE).source()
    out(script.encode())
    return ExitCode.OK
