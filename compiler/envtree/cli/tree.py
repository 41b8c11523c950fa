"""Declaration of `envtree tree`."""

from envtree.cli.support.options import COLOR, Command, choice

command = Command(
    "tree",
    [
        choice(
            "--format",
            "form",
            values=("text", "json", "mermaid", "dot"),
            default="text",
            show_default=True,
            help="The output format; mermaid folds a large tree, dot is for Graphviz.",
        ),
        COLOR,
    ],
    """Show projects, teams, agents and their environments.

    If there is no answer, stdout is empty and stderr has the reason.
    """,
    "envtree tree --format json | jq '.projects[].key'",
)
