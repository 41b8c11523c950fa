"""`envtree explain`, declared."""

import click

from envtree.cli.support.options import COLOR, INPUTS, Command, choice, complete_ids, complete_keys, option

command = Command(
    "explain",
    [
        click.Argument(["id"], shell_complete=complete_ids),
        click.Argument(["key"], required=False, shell_complete=complete_keys),
        option("--layers", is_flag=True, help="Show the order of the bundle's layers, and their files."),
        choice(
            "--format", "form", values=("text", "json"), default="text", show_default=True, help="For people, or JSON."
        ),
        INPUTS,
        COLOR,
    ],
    """Show where a value comes from, layer by layer.

    KEY is a variable, or a path such as config.limits.cpu; without it, every key has a line. No secret is ever shown.
    Where there is no answer, stdout is empty and stderr says why.
    """,
    "envtree explain shop/cart/bot@production LOG_LEVEL",
)
