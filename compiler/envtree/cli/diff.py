"""`envtree diff`, declared."""

from pathlib import Path

import click

from envtree.cli.support.options import (
    COLOR,
    COMPARISON_PARAMS,
    DETAILED_EXITCODE,
    INPUTS,
    JOBS,
    NO_CACHE,
    VERBOSE,
    Command,
    choice,
    option,
    selector_option,
)

# A comment on GitHub, and what a heading, a sentence and a footer need.
DEFAULT_COMMENT_BYTES, MIN_COMMENT_BYTES = 60_000, 2_000

command = Command(
    "diff",
    [
        *COMPARISON_PARAMS,
        selector_option("--select", "selectors", help="Compare only these bundles; may be repeated."),
        selector_option("--protect", "protected", help="Fail if one of these bundles differs; may be repeated."),
        choice(
            "--format",
            "form",
            values=("text", "json", "markdown", "mermaid"),
            default="text",
            show_default=True,
            help="For people, for programs, for a comment on a pull request, or as a drawing.",
        ),
        option(
            "--limit",
            metavar="BYTES",
            type=click.IntRange(min=MIN_COMMENT_BYTES),
            default=DEFAULT_COMMENT_BYTES,
            show_default=True,
            help="The most that --format markdown takes; GitHub accepts 65536 characters.",
        ),
        option(
            "--saved",
            metavar="FILE",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            help="Compare nothing: tell what --format json has said before.",
        ),
        DETAILED_EXITCODE,
        INPUTS,
        JOBS,
        NO_CACHE,
        COLOR,
        option(*VERBOSE.opts, is_flag=True, help="Name every bundle."),
    ],
    """Show what differs in the bundles of two trees, and why.

    BASE and HEAD are revisions of the repository, or folders; without HEAD it is the tree as it is in the folder.
    Nothing is checked out, and no key is needed: a secret counts as changed when its ciphertext is.
    A SELECTOR is a glob over bundle ids; for --protect, 'production:**' is short for '**@production'.
    """,
    "envtree diff main --protect '**@production'",
)
