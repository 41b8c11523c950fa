"""Declaration of `envtree init`."""

from pathlib import Path

import click

from envtree.cli.support.options import Command

command = Command(
    "init",
    [click.Argument(["target"], metavar="[DIR]", default=".", type=click.Path(file_okay=False, path_type=Path))],
    """Write a small tree that compiles.

    It contains schemas for your editor; existing files are never overwritten.
    """,
    "envtree init demo && envtree -C demo check",
)
