"""The command-line interface. Commands are imported on demand, so that `--help` and completion are fast."""

import gc
import os
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

import click
from click.shell_completion import shell_complete

from envtree import __version__
from envtree.cli.support.exits import ExitCode, run_command
from envtree.cli.support.group import CommandGroup
from envtree.cli.support.options import COLOR_META, COLORS, FolderParamType
from envtree.system import console, signals

if TYPE_CHECKING:
    from pathlib import Path

_COMMANDS = {
    "Write a tree": ("init", "new", "schema"),
    "Check it": ("check", "watch", "diff", "code"),
    "Ask it": ("list", "show", "get", "explain", "tree", "matrix", "impact", "parity", "unused", "report"),
    "Secrets": ("secrets", "run"),
    "Hand bundles on": ("compile", "unseal", "merge-manifests", "verify"),
    "Kubiya": ("kubiya",),
    "This program": ("help", "completion", "cache"),
}
# Earlier names of commands.
_HIDDEN = {name: f"kubiya.{name}" for name in ("plan", "apply", "drift")}
COMPLETE_VARIABLE = "_ENVTREE_COMPLETE"


@click.group(
    "envtree",
    cls=CommandGroup,
    names=_COMMANDS,
    hidden=_HIDDEN,
    words_module="envtree.cli.support.other_words",
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
    help="Look for the tree from DIR upwards, not from the current folder.",
)
@click.option(
    "--color",
    type=click.Choice(COLORS),
    default=COLORS[0],
    show_default=True,
    help="When to colour the output.",
)
@click.pass_context
def cli(ctx: click.Context, directory: "Path", color: str) -> None:
    """Compile an organization kept as YAML in git into one resolved bundle for every agent and environment.

    Try: envtree init demo && envtree -C demo check
    """
    ctx.obj = directory
    ctx.meta[COLOR_META] = color


def invoke(arguments: list[str]) -> int:
    """Run one command line and return its exit code."""
    instruction = os.environ.get(COMPLETE_VARIABLE)
    if instruction:
        return _run_completion(instruction)
    return run_command(lambda: _invoke(arguments))


def main() -> NoReturn:
    """Run the command line of this process and exit."""
    # Documents live until the end and contain no cycles; garbage collection would cost a third of the time.
    gc.disable()
    console.prepare_streams()
    # Python would print uncaught exceptions of destructors and threads together with their values.
    sys.unraisablehook = threading.excepthook = _ignore_exception
    code = _run_until_signal(lambda: invoke(sys.argv[1:]))
    # Python collects garbage at exit even when collection is disabled; freezing leaves it nothing to search.
    gc.freeze()
    sys.exit(code)


def _invoke(arguments: list[str]) -> int:
    with cli.make_context("envtree", arguments) as ctx:
        return int(cli.invoke(ctx) or 0)


def _run_completion(instruction: str) -> int:
    """Answer a completion request of the shell."""
    try:
        return shell_complete(cli, {}, "envtree", COMPLETE_VARIABLE, instruction)
    except Exception:  # noqa: BLE001 -- an error message would appear in the middle of what the user types
        return 1


def _run_until_signal(command: Callable[[], int]) -> int:
    """Run a command; return its exit code, or the one for Ctrl-C. Other signals end the process by themselves."""
    try:
        signals.install_handlers()
        code = command()
        # A signal during the shutdown of Python must not change the exit code.
        signals.ignore_all()
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    return code


def _ignore_exception(_: Any) -> None:
    pass
