"""Declaration of `envtree completion`."""

import click

from envtree.cli.support.options import Command

command = Command(
    "completion",
    [click.Argument(["shell"], type=click.Choice(["bash", "zsh", "fish"]))],
    """Print a completion script for a shell.

    It completes commands, options, and the bundle ids of the tree.
    """,
    'eval "$(envtree completion bash)"',
)
