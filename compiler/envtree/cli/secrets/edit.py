"""Declaration of `envtree secrets edit`."""

import click

from envtree.cli.support.options import COLOR, Command, complete_files

command = Command(
    "edit",
    [click.Argument(["file"], shell_complete=complete_files), COLOR],
    """Open a secrets file in your editor.

    The result is checked before it replaces the file. The editor is SOPS_EDITOR, VISUAL or EDITOR. While it is open,
    the plaintext is in a file that only you can read: in memory on Linux, in your temporary folder elsewhere.
    """,
    "envtree secrets edit environments/production.secrets.yaml",
    group="secrets",
)
