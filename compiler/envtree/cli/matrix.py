"""`envtree matrix`, declared."""

import click

from envtree.cli.support.options import COLOR, INPUTS, SELECTORS, Command, choice, complete_keys, option

command = Command(
    "matrix",
    [
        click.Argument(["key"], shell_complete=complete_keys),
        SELECTORS,
        choice(
            "--format", "form", values=("text", "json"), default="text", show_default=True, help="For people, or JSON."
        ),
        option("-v", "--verbose", is_flag=True, help="Name every bundle and every place, and cut no value."),
        INPUTS,
        COLOR,
    ],
    """Show one key over all bundles, grouped by value.

    KEY is a variable, or a path such as config.limits.cpu; SELECTOR is a glob over bundle ids. Secrets are the same
    if they come from the same ciphertext, and are never shown.
    Where there is no answer, stdout is empty and stderr says why.
    """,
    "envtree matrix LOG_LEVEL 'shop/**'",
)
