"""`envtree show`, declared."""

import click

from envtree.cli.support.options import COLOR, INPUTS, Command, choice, complete_ids, option
from envtree.model.formats import STDOUT_FORMATS

command = Command(
    "show",
    [
        click.Argument(["id"], shell_complete=complete_ids),
        option("--reveal", is_flag=True, help="Decrypt, and show secret values too, on a terminal."),
        option("--force", is_flag=True, help="With --reveal, also where stdout is no terminal."),
        choice(
            "--format",
            "form",
            values=("json", *STDOUT_FORMATS),
            default="json",
            show_default=True,
            help="JSON, or a format that 'compile' writes into one file.",
        ),
        INPUTS,
        COLOR,
    ],
    """Print one bundle, secret values as null.

    Where there is no answer, stdout is empty and stderr says why.
    """,
    "envtree show shop/checkout/refunds@production | jq .env_vars",
)
