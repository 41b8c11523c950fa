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
    "Show projects, teams, agents and where they run.",
    "envtree tree --format json | jq '.projects[].key'",
)
