"""Declaration of `envtree list`."""

from envtree.cli.support.options import COLOR, SELECTORS, Command

command = Command(
    "list",
    [SELECTORS, COLOR],
    """Print the ids of the bundles, one a line.

    SELECTOR is a glob over bundle ids, such as 'shop/**@prod*'; without one all bundles are listed.
    """,
    "envtree list '**@production'",
)
