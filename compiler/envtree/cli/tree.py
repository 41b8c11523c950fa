"""`envtree tree`, declared."""

from envtree.cli.options import COLOR, Command, choice

command = Command(
    "tree",
    [
        choice(
            "--format", "form", values=("text", "json"), default="text", show_default=True, help="For people, or JSON."
        ),
        COLOR,
    ],
    """Show projects, teams, agents and where they run.

    Where there is no answer, stdout is empty and stderr says why.
    """,
    "envtree tree --format json | jq '.projects[].key'",
)
