"""Declaration of `envtree explain`."""

import click

from envtree.cli.support.options import (
    COLOR,
    INPUTS,
    Command,
    complete_ids,
    complete_keys,
    option,
    output_format,
)

command = Command(
    "explain",
    [
        click.Argument(["id"], shell_complete=complete_ids),
        click.Argument(["key"], required=False, shell_complete=complete_keys),
        option("--layers", is_flag=True, help="Show the layers of the bundle in order, with their files."),
        output_format("text", "json"),
        INPUTS,
        COLOR,
    ],
    """Show where a value comes from, layer by layer.

    KEY is a variable, or a path such as config.limits.cpu; without it, all keys are listed. Secrets are never
    shown.
    If there is no answer, stdout is empty and stderr has the reason.
    """,
    "envtree explain shop/cart/bot@production LOG_LEVEL",
)
