"""`envtree completion`, declared."""

import click

from envtree.cli.options import Command

command = Command(
    "completion",
    [click.Argument(["shell"], type=click.Choice(["bash", "zsh", "fish"]))],
    """Print a completion script for a shell.

    It completes commands, options, and bundle ids from the names of the tree's files.
    """,
    'eval "$(envtree completion bash)"',
)
