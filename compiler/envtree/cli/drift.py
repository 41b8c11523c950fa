"""`envtree drift`, declared."""

from envtree.cli.support.options import COLOR, IDS_FILE, INPUTS, PLAN_FORMAT, Command

command = Command(
    "drift",
    [
        PLAN_FORMAT,
        IDS_FILE,
        INPUTS,
        COLOR,
    ],
    """Show what was changed at Kubiya behind git's back.

    That is what differs from what was applied last. What only the tree has changed since is no drift. The exit code is
    1 if there is any, so that a job which runs by the clock fails.
    """,
    "envtree drift --format markdown",
)
