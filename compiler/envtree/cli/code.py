"""`envtree code`, declared."""

import click

from envtree.cli.support.options import Command, complete_codes

command = Command(
    "code",
    [click.Argument(["code"], required=False, shell_complete=complete_codes)],
    """Say what a code means, by an example and its correction.

    Without CODE all codes are listed.
    """,
    "envtree code ET402",
)
