"""`envtree check`, declared."""

from envtree.cli.options import ALLOW_EMPTY, COLOR, INPUTS, SELECTORS, STRICT, VERBOSE, Command, choice

command = Command(
    "check",
    [
        SELECTORS,
        choice(
            "--format",
            "form",
            values=("text", "json", "github"),
            help="The form of the findings; text, or github where GITHUB_ACTIONS is set.",
        ),
        STRICT,
        ALLOW_EMPTY,
        INPUTS,
        COLOR,
        VERBOSE,
    ],
    """Find everything that can be known to be wrong without a key.

    SELECTOR is a glob over bundle ids, such as 'shop/**@prod*'; without one all bundles are checked.
    """,
    "envtree check 'shop/**@production'",
)
