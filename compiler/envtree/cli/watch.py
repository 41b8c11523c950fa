"""`envtree watch`, declared."""

from pathlib import Path

import click

from envtree.cli.support.options import ALLOW_EMPTY, COLOR, INPUTS, SELECTORS, STRICT, Command, choice, option
from envtree.model.formats import FORMAT_NAMES

command = Command(
    "watch",
    [
        SELECTORS,
        option(
            "-o",
            "--output",
            metavar="DIR",
            type=click.Path(file_okay=False, path_type=Path),
            help="Write the bundles into DIR, as 'compile' does; without it they are only checked, without a key.",
        ),
        choice(
            "--secrets",
            values=("plain", "ref", "seal"),
            help="With -o: write secrets in clear, as references, or sealed; as in 'compile'.",
        ),
        choice(
            "--format",
            "formats",
            values=FORMAT_NAMES,
            multiple=True,
            help="With -o: what to write beside bundle.json, may be repeated; as in 'compile'.",
        ),
        option("--once", is_flag=True, help="Tell how the tree stands, and end with the exit code of that."),
        STRICT,
        ALLOW_EMPTY,
        INPUTS,
        COLOR,
    ],
    """Check or compile again whenever a file is saved.

    Tells how the tree stands, and then of each change in a line which files it was, how many bundles differ and how
    long it took; below it the findings that are new, and in a line each those that are gone. All of it goes to stdout.
    Ctrl-C ends it.
    """,
    "envtree watch --once",
)
