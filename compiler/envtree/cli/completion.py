"""`envtree completion`, declared."""

import click

from envtree.cli.support.options import Command

command = Command(
    "completion",
    [click.Argument(["shell"], type=click.Choice(["bash", "zsh", "fish"]))],
    """Print a completion script for a shell.

    It completes commands, options, and the ids of the tree's bundles.
    """,
    'eval "$(envtree completion bash)"',
)
