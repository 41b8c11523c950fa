"""`envtree merge-manifests`, declared."""

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
            help="Where to write all bundles and their one manifest; may be one of the outputs.",
        ),
        option(
            "--archive",
            metavar="FILE",
            type=click.Path(dir_okay=False, path_type=Path),
            help="Pack them into FILE, a .tar.zst or .zip; without -o only there.",
        ),
    ],
    """Make one output of those of several machines.

    They have compiled with --shard, and it is byte by byte what one of them would have written without. Neither the
    tree nor a key is needed. OUTPUT is a folder or an archive. Outputs that are not the parts of one are refused: with
    one bundle in two of them, or other secrets modes, editions, inputs or receipts.
    """,
    "envtree merge-manifests shard-1 shard-2 -o out",
)
