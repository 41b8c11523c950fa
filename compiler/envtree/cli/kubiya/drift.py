"""Declaration of `envtree kubiya drift`."""

from envtree.cli.support.options import COLOR, IDS_FILE, INPUTS, PLAN_FORMAT, Command

command = Command(
    "drift",
    [
        PLAN_FORMAT,
        IDS_FILE,
        INPUTS,
        COLOR,
    ],
    """Show changes at Kubiya that were not made through git.

    Drift is a difference from the state that was last applied; a change that only the tree has made since is none. The
    exit code is 4 if there is any drift, so that a scheduled job fails.
    """,
    "envtree kubiya drift --output-format markdown",
    group="kubiya",
)
