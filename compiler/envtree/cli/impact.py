"""Declaration of `envtree impact`."""

import click

from envtree.cli.support.options import COLOR, Command, complete_files, option, output_format, selector_option

command = Command(
    "impact",
    [
        click.Argument(["files"], metavar="FILE...", nargs=-1, required=True, shell_complete=complete_files),
        selector_option("--select", "selectors", help="Consider only these bundles; may be repeated."),
        output_format("text", "json", "ids", help="The output format; ids lists only the ids of the bundles."),
        option("-v", "--verbose", is_flag=True, help="List every bundle."),
        COLOR,
    ],
    """Show which bundles a file feeds.

    For each value of the file, it also shows in how many of them the value is effective, and where it is overridden in
    the others. FILE is relative to the current folder, to the root of the tree, or to that of the repository, as git
    prints it: try envtree impact $(git diff --name-only --diff-filter=d). A file from which no value is read feeds no
    bundle; for .sops.yaml, the secrets files that its rules match are listed. If there is no answer, stdout is
    empty and stderr has the reason.
    """,
    "envtree impact environments/production.yaml",
)
