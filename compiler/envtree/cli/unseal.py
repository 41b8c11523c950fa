"""`envtree unseal`, declared."""

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
            help="Write plain bundles into DIR, as 'compile' does; else one bundle is printed.",
        ),
        option("--force", is_flag=True, help="Print the bundle also where stdout is no terminal."),
    ],
    """Put the secrets into bundles that refer to them.

    What 'compile --secrets ref' or 'seal' wrote becomes what 'compile --secrets plain' writes.
    FOLDER is the folder of a bundle, its bundle.json, or a whole output, which needs -o. References are looked up in
    the secrets files of the tree, which -C names.
    """,
    "envtree unseal out/production/shop/checkout/refunds -o plain",
)
