"""Declaration of `envtree get`."""

import click

from envtree.cli.support.options import COLOR, INPUTS, Command, complete_ids, complete_keys, option

command = Command(
    "get",
    [
        click.Argument(["id"], shell_complete=complete_ids),
        click.Argument(["key"], shell_complete=complete_keys),
        option("--reveal", is_flag=True, help="Decrypt, and print the value also if it is secret, also into a pipe."),
        INPUTS,
        COLOR,
    ],
    """Print one value of a bundle, raw, for scripts.

    KEY is a variable, or a path such as config.limits.cpu. A text is printed as it is, everything else as JSON, with a
    newline behind it. If there is no answer, stdout is empty and stderr has the reason.
    """,
    "envtree get shop/cart/bot@production LOG_LEVEL",
)
