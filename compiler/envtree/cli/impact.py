"""`envtree impact`, declared."""

import click

from envtree.cli.support.options import COLOR, Command, choice, complete_files, option

command = Command(
    "impact",
    [
        click.Argument(["files"], metavar="FILE...", nargs=-1, required=True, shell_complete=complete_files),
        choice(
            "--format",
            "form",
            values=("text", "json", "ids"),
            default="text",
            show_default=True,
            help="For people, JSON, or the ids of the bundles alone.",
        ),
        option("-v", "--verbose", is_flag=True, help="Name every bundle."),
        COLOR,
    ],
    """Show which bundles a file feeds.

    For each value of the file, it also tells in how many of them it counts, and what stands over it in the others.
    FILE is relative to this folder, to the root of the tree, or to that of the repository, such as git names it: try
    envtree impact $(git diff --name-only --diff-filter=d). A file that nothing is read from feeds no bundle; of
    .sops.yaml it tells which secrets files fall under its rules. Where there is no answer, stdout is
    empty and stderr says why.
    """,
    "envtree impact environments/production.yaml",
)
