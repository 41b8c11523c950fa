"""Declaration of `envtree show`."""

import click

from envtree.cli.support.options import COLOR, INPUTS, Command, choice, complete_ids, option
from envtree.model.formats import STDOUT_FORMATS

command = Command(
    "show",
    [
        click.Argument(["id"], shell_complete=complete_ids),
        option("--reveal", is_flag=True, help="Decrypt, and show secret values if stdout is a terminal."),
        option("--force", is_flag=True, help="With --reveal: show them even if stdout is not a terminal."),
        choice(
            "--format",
            "form",
            values=("json", *STDOUT_FORMATS),
            default="json",
            show_default=True,
            help="The output format: json, or a format of 'compile' that is a single file.",
        ),
        INPUTS,
        COLOR,
    ],
    """Print one bundle, secret values as null.

    If there is no answer, stdout is empty and stderr has the reason.
    """,
    "envtree show shop/checkout/refunds@production | jq .env_vars",
)
