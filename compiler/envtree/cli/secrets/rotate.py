"""Declaration of `envtree secrets rotate`."""

import click

from envtree.cli.support.options import COLOR, Command, complete_files, output_format

command = Command(
    "rotate",
    [
        click.Argument(["files"], metavar="[FILE]...", nargs=-1, shell_complete=complete_files),
        output_format("text", "json"),
        COLOR,
    ],
    """Rotate the data keys of secrets files.

    If readers are declared, only they can open the files afterwards. Without FILE, all files of the tree are rotated.
    Each is decrypted before and after, and replaced only if its values are the same. Former readers of a file still
    know its values: change these as well.
    """,
    "envtree secrets rotate environments/production.secrets.yaml",
    group="secrets",
)
