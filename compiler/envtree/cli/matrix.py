"""Declaration of `envtree matrix`."""

import click

from envtree.cli.support.options import COLOR, INPUTS, SELECTORS, Command, complete_keys, option, output_format

command = Command(
    "matrix",
    [
        click.Argument(["key"], shell_complete=complete_keys),
        SELECTORS,
        output_format("text", "json"),
        option("-v", "--verbose", is_flag=True, help="List every bundle and location, and do not shorten values."),
        INPUTS,
        COLOR,
    ],
    """Show one key in all bundles, grouped by value.

    KEY is a variable, or a path such as config.limits.cpu; SELECTOR is a glob over bundle ids. Secrets are equal
    if they come from the same ciphertext, and are never shown.
    If there is no answer, stdout is empty and stderr has the reason.
    """,
    "envtree matrix LOG_LEVEL 'shop/**'",
)
