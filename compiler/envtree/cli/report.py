"""`envtree report`, declared."""

from pathlib import Path

import click

from envtree.cli.support.options import COLOR, COMPARISON_PARAMS, INPUTS, Command, option, selector_option

command = Command(
    "report",
    [
        option(
            "-o",
            "output",
            metavar="FILE",
            required=True,
            type=click.Path(path_type=Path, allow_dash=True),
            help="The file to write; '-' is stdout.",
        ),
        *COMPARISON_PARAMS,
        selector_option("--select", "selectors", help="Show only these bundles; may be repeated."),
        INPUTS,
        COLOR,
    ],
    """Write the tree as one HTML file to look at.

    Every value is in it, the layers that made it, and the findings. The file opens in a browser without a network,
    loads nothing, and holds no secret. With BASE, a revision or a folder, it also shows what differs from there;
    without HEAD the tree is the one in the folder.
    """,
    "envtree report -o report.html",
)
