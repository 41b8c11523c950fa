"""`envtree secrets rotate`, declared."""

import click

from envtree.cli.support.options import COLOR, Command, choice, complete_files

command = Command(
    "rotate",
    [
        click.Argument(["files"], metavar="[FILE]...", nargs=-1, shell_complete=complete_files),
        choice(
            "--format", "form", values=("text", "json"), default="text", show_default=True, help="For people, or JSON."
        ),
        COLOR,
    ],
    """Give secrets files new data keys.

    Where readers are declared, they can open the files afterwards, and nobody else. Without FILE it does so for all
    of the tree. Each is opened before and after, and replaced only if its values are the same. Whoever could read a
    file still knows its values: change these as well.
    """,
    "envtree secrets rotate environments/production.secrets.yaml",
    group="secrets",
)
