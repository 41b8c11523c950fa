"""Declaration of `envtree parity`."""

import click

from envtree.cli.support.options import (
    COLOR,
    DETAILED_EXITCODE,
    INPUTS,
    SELECTORS,
    Command,
    complete_environments,
    option,
    output_format,
)

command = Command(
    "parity",
    [
        click.Argument(["first"], metavar="ENV", shell_complete=complete_environments),
        click.Argument(["second"], metavar="ENV", shell_complete=complete_environments),
        SELECTORS,
        output_format("text", "json"),
        DETAILED_EXITCODE,
        option("-v", "--verbose", is_flag=True, help="List every bundle."),
        INPUTS,
        COLOR,
    ],
    """Show what one environment lacks and another has.

    It compares the keys and the types of values of agents in both environments, and lists agents that are compiled for
    only one of them. SELECTOR is a glob over bundle ids that selects agents. A key that a contract declares for one
    environment only is listed, but does not count as a difference. If there is no answer, stdout is
    empty and stderr has the reason.
    """,
    "envtree parity staging production 'shop/**'",
)
