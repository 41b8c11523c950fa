"""`envtree secrets edit`, declared."""

import click

from envtree.cli.support.options import COLOR, Command, complete_files

command = Command(
    "edit",
    [click.Argument(["file"], shell_complete=complete_files), COLOR],
    """Open a secrets file in your editor.

    What you leave is checked before it replaces the file. The editor is SOPS_EDITOR or EDITOR; while it is open,
    the plaintext is a file in memory that only you can read, on Linux, and in your temporary folder elsewhere.
    """,
    "envtree secrets edit environments/production.secrets.yaml",
    group="secrets",
)
