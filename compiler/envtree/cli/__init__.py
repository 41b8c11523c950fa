"""The command line. What a command needs is imported when it runs: `--help` and completion are felt."""

import gc
import os
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

import click
from click.shell_completion import shell_complete

from envtree import __version__
from envtree.cli.support import exits
from envtree.cli.support.exits import ExitCode
from envtree.cli.support.group import CommandGroup
from envtree.cli.support.options import FolderParamType
from envtree.system import console, signals

if TYPE_CHECKING:
    from pathlib import Path

_COMMANDS = (
    *("init", "check", "compile", "watch", "show", "explain", "diff", "tree"),
    *("impact", "matrix", "parity", "unused", "report"),
    *("plan", "apply", "drift", "import"),
    *("run", "unseal", "merge-manifests", "verify", "secrets", "cache", "schema", "code", "completion"),
)
COMPLETE_VARIABLE = "_ENVTREE_COMPLETE"


@click.group(
    "envtree",
    cls=CommandGroup,
    names=_COMMANDS,
    package="envtree.cli",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, message="envtree %(version)s")
@click.option(
    "-C",
    "directory",
    metavar="DIR",
    default=".",
    type=FolderParamType(),
    help="Look for the tree from DIR upwards, not from here.",
)
@click.pass_context
def cli(ctx: click.Context, directory: "Path") -> None:
    """Compile an organization kept as YAML in git into one resolved bundle for every agent and environment.

    Try: envtree init demo && envtree -C demo check
    """
    ctx.obj = directory


def invoke(arguments: list[str]) -> int:
    """Run one command line; the exit code."""
    instruction = os.environ.get(COMPLETE_VARIABLE)
    if instruction:
        return _run_completion(instruction)
    # By its module: `run` is a command too, and the name of its module here.
    return exits.run_command(lambda: _invoke(arguments))


def main() -> NoReturn:
    """Run the command line of this process, and end it."""
    # Documents live to the end and hold no cycles: looking for garbage among them costs a third of the time.
    gc.disable()
    console.prepare_streams()
    # What goes wrong where nobody can catch it would be printed with its values.
    sys.unraisablehook = threading.excepthook = _ignore_exception
    code = _run_until_signal(lambda: invoke(sys.argv[1:]))
    # Nor is there anything to look for in what is left: Python does so at its end, though it is told not to.
    gc.freeze()
    sys.exit(code)


def _invoke(arguments: list[str]) -> int:
    with cli.make_context("envtree", arguments) as ctx:
        return int(cli.invoke(ctx) or 0)


def _run_completion(instruction: str) -> int:
    """Answer the shell."""
    try:
        return shell_complete(cli, {}, "envtree", COMPLETE_VARIABLE, instruction)
    except Exception:  # noqa: BLE001 -- there is no good moment to complain while somebody types
        return 1


def _run_until_signal(command: Callable[[], int]) -> int:
    """Do the work; its exit code, or that of Ctrl-C. The other signals end the process on their own."""
    try:
        signals.install_handlers()
        code = command()
        # Nothing that happens while Python cleans up changes what was said.
        signals.ignore_all()
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    return code


def _ignore_exception(_: Any) -> None:
    pass
