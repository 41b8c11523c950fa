"""`envtree verify`, declared."""

from pathlib import Path

import click

from envtree.cli.support.options import Command, choice, option

command = Command(
    "verify",
    [
        click.Argument(["source"], metavar="OUTPUT", type=click.Path(exists=True, path_type=Path)),
        option(
            "--expect",
            metavar="DIGEST",
            help="The digest of the manifest, as 'verify' told it where the output was made.",
        ),
        option(
            "--repository",
            metavar="DIR",
            type=click.Path(exists=True, file_okay=False, path_type=Path),
            help="Look whether the commit in the receipt has the files that the bundles were made from.",
        ),
        choice("--format", "form", values=("text", "json"), default="text", show_default=True, help="The form."),
    ],
    """Tell which bundles are not as they were compiled.

    It also tells what they were made from, if 'compile --receipt' noted that. OUTPUT is a folder or an archive that
    'compile' made; neither a tree nor a key is needed. What is checked is that the files and the manifest agree. Who
    can change both is found out by --expect, or by a signature over the archive.
    """,
    "envtree verify out.tar.zst",
)
