"""`envtree show`, declared."""

import click

from envtree.cli.options import COLOR, INPUTS, Command, choice, complete_ids, option

command = Command(
    "show",
    [
        click.Argument(["id"], shell_complete=complete_ids),
        option("--reveal", is_flag=True, help="Decrypt, and show secret values too."),
        choice(
            "--format",
            "form",
            values=("json", "compose"),
            default="json",
            show_default=True,
            help="JSON, or the environment as '.env'.",
        ),
        INPUTS,
        COLOR,
    ],
    """Print one bundle, secret values as null.

    Where there is no answer, stdout is empty and stderr says why.
    """,
    "envtree show shop/checkout/refunds@production | jq .env_vars",
)
