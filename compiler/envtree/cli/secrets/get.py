"""Declaration of `envtree secrets get`."""

import click

from envtree.cli.support.options import COLOR, Command, complete_files, option

command = Command(
    "get",
    [
        click.Argument(["file"], shell_complete=complete_files),
        click.Argument(["key"]),
        option("--reveal", is_flag=True, help="Decrypt the value and print it, also into a pipe."),
        COLOR,
    ],
    """Print one secret, raw, for scripts.

    KEY is a dotted path in FILE. A text is printed as it is, everything else as JSON, with a newline behind it. Without
    --reveal nothing is printed. It needs a key that opens the file.
    """,
    "envtree secrets get environments/production.secrets.yaml db.password --reveal",
    group="secrets",
)
