"""Declaration of `envtree watch`."""

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
            help="Write the bundles to DIR, as 'compile' does; without it they are only checked, without a key.",
        ),
        choice(
            "--secrets",
            values=("plain", "ref", "seal"),
            help="With -o: write secrets in clear, as references, or encrypted, as in 'compile'.",
        ),
        choice(
            "--format",
            "formats",
            values=FORMAT_NAMES,
            multiple=True,
            help="With -o: a format to write besides bundle.json, as in 'compile'; may be repeated.",
        ),
        option("--once", is_flag=True, help="Run once, and exit with the exit code of 'check' or 'compile'."),
        STRICT,
        ALLOW_EMPTY,
        INPUTS,
        COLOR,
    ],
    """Check or compile again whenever a file is saved.

    First it reports the state of the tree. After each change it prints one line with the files, the number of bundles
    that differ and the duration, then the new findings, and one line for each finding that is gone. All output goes to
    stdout. Ctrl-C stops it.
    """,
    "envtree watch --once",
)
