"""`envtree parity`, declared."""

import click

from envtree.cli.support.options import (
    COLOR,
    DETAILED_EXITCODE,
    INPUTS,
    SELECTORS,
    Command,
    choice,
    complete_environments,
    option,
)

command = Command(
    "parity",
    [
        click.Argument(["one"], metavar="ENV", shell_complete=complete_environments),
        click.Argument(["other"], metavar="ENV", shell_complete=complete_environments),
        SELECTORS,
        choice(
            "--format", "form", values=("text", "json"), default="text", show_default=True, help="For people, or JSON."
        ),
        DETAILED_EXITCODE,
        option("-v", "--verbose", is_flag=True, help="Name every bundle."),
        INPUTS,
        COLOR,
    ],
    """Show what one environment lacks and another has.

    That is: keys, in agents of both; the types of values; and agents that are compiled for one of them only.
    SELECTOR is a glob over bundle ids, and chooses agents. A key that a contract declares for one environment only is
    told, but is no difference. Where there is no answer, stdout is empty and stderr says why.
    """,
    "envtree parity staging production 'shop/**'",
)
