"""Declaration of `envtree merge-manifests`."""

from pathlib import Path

import click

from envtree.cli.support.options import Command, option

command = Command(
    "merge-manifests",
    [
        click.Argument(
            ["sources"], metavar="OUTPUT...", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path)
        ),
        option(
            "-o",
            "--output",
            metavar="DIR",
            type=click.Path(file_okay=False, path_type=Path),
            help="The folder for all bundles and their manifest; may be one of the outputs.",
        ),
        option(
            "--archive",
            metavar="FILE",
            type=click.Path(dir_okay=False, path_type=Path),
            help="Pack them into FILE, a .tar.zst or .zip; without -o, write no folder.",
        ),
    ],
    """Merge the outputs of several machines into one.

    The machines compile with --shard; the result is byte for byte what one of them would write without it. Neither the
    tree nor a key is needed. OUTPUT is a folder or an archive. Outputs that do not belong together are refused: those
    with a bundle in common, or with different secrets modes, editions, inputs or receipts.
    """,
    "envtree merge-manifests shard-1 shard-2 -o out",
)
