"""Declaration of `envtree help`."""

import click

from envtree.cli.support.options import Command

command = Command(
    "help",
    [click.Argument(["names"], metavar="[COMMAND]...", nargs=-1)],
    """Show the help of a command, as --help behind it does.""",
    "envtree help secrets set",
)
