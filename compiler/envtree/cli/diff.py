"""`envtree diff`, declared."""

import click

from envtree.cli.options import COLOR, DETAILED, INPUTS, VERBOSE, Command, choice, complete_ids, option

command = Command(
    "diff",
    [
        click.Argument(["base"]),
        click.Argument(["head"], required=False),
        option("--merge-base", is_flag=True, help="Compare with the last commit that BASE and HEAD have in common."),
        option(
            "--select",
            "selectors",
            metavar="SELECTOR",
            multiple=True,
            shell_complete=complete_ids,
            help="Compare only these bundles; may be repeated.",
        ),
        option(
            "--protect",
            "protected",
            metavar="SELECTOR",
            multiple=True,
            shell_complete=complete_ids,
            help="Fail if one of these bundles differs; may be repeated.",
        ),
        choice(
            "--format",
            "form",
            values=("text", "json", "markdown"),
            default="text",
            show_default=True,
            help="For people, for programs, or for a comment on a pull request.",
        ),
        DETAILED,
        INPUTS,
        COLOR,
        VERBOSE,
    ],
    """Show what differs in the bundles of two trees, and the lines that are the cause.

    BASE and HEAD are revisions of the repository, or folders; without HEAD it is the tree as it is in the folder.
    Nothing is checked out, and no key is needed: a secret counts as changed when its ciphertext is.
    A SELECTOR is a glob over bundle ids; for --protect, 'production:**' is short for '**@production'.
    """,
    "envtree diff main --protect '**@production'",
)
