"""Declaration of `envtree tree`."""

from envtree.cli.support.options import COLOR, Command, output_format

command = Command(
    "tree",
    [
        output_format(
            "text", "json", "mermaid", "dot", help="The output format; mermaid folds a large tree, dot is for Graphviz."
        ),
        COLOR,
    ],
    """Show projects, teams, agents and their environments.

    If there is no answer, stdout is empty and stderr has the reason.
    """,
    "envtree tree --output-format json | jq '.projects[].key'",
)
