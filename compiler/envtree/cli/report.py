"""Declaration of `envtree report`."""

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
    """Write an HTML report of the tree, in one file.

    It shows every value with the layers that set it, and the findings, but no secrets. The file opens in a browser
    without a network and loads nothing. With BASE, a revision or a folder, it also shows the differences from there;
    HEAD defaults to the working tree.
    """,
    "envtree report -o report.html",
)
