"""Declaration of `envtree schema`."""

from pathlib import Path

import click

from envtree.cli.support.options import Command, option

command = Command(
    "schema",
    [
        click.Argument(["kind"], required=False),
        option(
            "--export",
            metavar="DIR",
            type=click.Path(file_okay=False, path_type=Path),
            help="Write all schemas to DIR, for editors.",
        ),
    ],
    """Print the JSON Schema of a kind of file.

    Without KIND, list the kinds.
    """,
    "envtree schema agent > agent.schema.json",
)
