"""Declaration of `envtree code`."""

import click

from envtree.cli.support.options import Command, complete_codes

command = Command(
    "code",
    [click.Argument(["code"], required=False, shell_complete=complete_codes)],
    """Explain a diagnostic code, with an example and its fix.

    Without CODE, list all codes.
    """,
    "envtree code ET402",
)
