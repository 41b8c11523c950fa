"""Implementation of `envtree help`: the help of a command, on stdout."""

from pathlib import Path
from typing import NamedTuple

import click

from envtree.cli.support.exits import ExitCode
from envtree.cli.support.options import usage_error
from envtree.system.console import out


class HelpOptions(NamedTuple):
    """The parameters of the command."""

    directory: Path
    names: tuple[str, ...]


def run(options: HelpOptions) -> ExitCode:
    """Print the help of the named command, or of envtree."""
    ctx = click.get_current_context().find_root()
    for name in options.names:
        group = ctx.command
        if not isinstance(group, click.Group):
            raise usage_error(f"'{ctx.command_path}' has no commands", f"write: envtree help {ctx.info_name}")
        _, command, _ = group.resolve_command(ctx, [name])
        assert command
        ctx = click.Context(command, parent=ctx, info_name=name)
    out(f"{ctx.get_help()}\n")
    return ExitCode.OK
