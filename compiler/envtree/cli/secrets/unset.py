"""Declaration of `envtree secrets unset`."""

import click

from envtree.cli.support.options import COLOR, Command, complete_files

command = Command(
    "unset",
    [click.Argument(["file"], shell_complete=complete_files), click.Argument(["key"]), COLOR],
    """Remove one secret.

    KEY is a dotted path in FILE; a map is removed with all that is in it. Nothing changes if a bundle would miss the
    secret. No other value changes by a byte. It needs a key that opens the file.
    """,
    "envtree secrets unset environments/production.secrets.yaml db.password",
    group="secrets",
)
