"""Declaration of `envtree diff`."""

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
    option,
    output_format,
    selector_option,
)

# The default fits into a comment on GitHub; the minimum leaves room for a heading, a sentence and a footer.
DEFAULT_COMMENT_BYTES, MIN_COMMENT_BYTES = 60_000, 2_000

command = Command(
    "diff",
    [
        *COMPARISON_PARAMS,
        selector_option("--select", "selectors", help="Compare only these bundles; may be repeated."),
        selector_option("--protect", "protected", help="Fail if one of these bundles differs; may be repeated."),
        output_format(
            "text",
            "json",
            "markdown",
            "mermaid",
            help="The output format; markdown is for comments on pull requests, mermaid for a diagram.",
        ),
        option(
            "--limit",
            metavar="BYTES",
            type=click.IntRange(min=MIN_COMMENT_BYTES),
            default=DEFAULT_COMMENT_BYTES,
            show_default=True,
            help="The maximum size of --output-format markdown; GitHub accepts 65536 characters.",
        ),
        option(
            "--saved",
            metavar="FILE",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            help="Compare nothing; show FILE, an earlier answer of --output-format json.",
        ),
        DETAILED_EXITCODE,
        INPUTS,
        JOBS,
        NO_CACHE,
        COLOR,
        option(*VERBOSE.opts, is_flag=True, help="List every bundle."),
    ],
    """Show how the bundles of two trees differ, and why.

    BASE and HEAD are revisions of the repository, or folders; HEAD defaults to the working tree. Nothing is checked
    out, and no key is needed: a secret counts as changed if its ciphertext has changed.
    A SELECTOR is a glob over bundle ids; for --protect, 'production:**' is short for '**@production'.
    """,
    "envtree diff main --protect '**@production'",
)
