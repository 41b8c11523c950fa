"""`envtree tree`, declared."""

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
            help="For people, JSON, Mermaid (a large tree is folded), or Graphviz's dot.",
        ),
        COLOR,
    ],
    """Show projects, teams, agents and where they run.

    Where there is no answer, stdout is empty and stderr says why.
    """,
    "envtree tree --format json | jq '.projects[].key'",
)
