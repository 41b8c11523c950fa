"""Declaration of `envtree verify`."""

from pathlib import Path

import click

from envtree.cli.support.options import Command, option, output_format

command = Command(
    "verify",
    [
        click.Argument(["source"], metavar="OUTPUT", type=click.Path(exists=True, path_type=Path)),
        option(
            "--expect",
            metavar="DIGEST",
            help="The expected digest of the manifest, as 'verify' shows it where the output was made.",
        ),
        option(
            "--repository",
            metavar="DIR",
            type=click.Path(exists=True, file_okay=False, path_type=Path),
            help="Check that the commit in the receipt has the files that the bundles were made from.",
        ),
        output_format("text", "json"),
    ],
    """Verify that bundles are as they were compiled.

    It also shows what they were made from, if 'compile --receipt' recorded it. OUTPUT is a folder or an archive that
    'compile' made; neither a tree nor a key is needed. The files are compared with the manifest. A change of both is
    detected by --expect, or by a signature over the archive.
    """,
    "envtree verify out.tar.zst",
)
