"""Declaration of `envtree unseal`."""

from pathlib import Path

import click

from envtree.cli.support.options import Command, option

command = Command(
    "unseal",
    [
        click.Argument(["source"], metavar="FOLDER", type=click.Path(exists=True, path_type=Path)),
        option(
            "-o",
            "--output",
            metavar="DIR",
            type=click.Path(file_okay=False, path_type=Path),
            help="Write plain bundles to DIR, as 'compile' does; without it, print one bundle.",
        ),
        option("--force", is_flag=True, help="Print the bundle even if stdout is not a terminal."),
    ],
    """Resolve the secrets of compiled bundles.

    The output of 'compile --secrets ref' or 'seal' becomes that of 'compile --secrets plain'.
    FOLDER is the folder of a bundle, its bundle.json, or a whole output, which needs -o. References are looked up in
    the secrets files of the tree, which -C selects.
    """,
    "envtree unseal out/production/shop/checkout/refunds -o plain",
)
