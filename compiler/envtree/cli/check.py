"""Declaration of `envtree check`."""

from pathlib import Path

import click

from envtree.cli.support.options import (
    ALLOW_EMPTY,
    CHANGED_SINCE,
    COLOR,
    EXIT_ZERO,
    FINDING_FORMATS,
    INPUTS,
    JOBS,
    NO_CACHE,
    REPORTS,
    SELECTORS,
    STRICT,
    VERBOSE,
    Command,
    option,
    output_format,
)

command = Command(
    "check",
    [
        SELECTORS,
        output_format(
            *FINDING_FORMATS,
            default=None,
            help="The format of the findings; default: text, or github in GitHub Actions.",
        ),
        option(
            "-o",
            "--output",
            metavar="FILE",
            type=click.Path(dir_okay=False, path_type=Path),
            help="Write the findings to FILE, not to stdout.",
        ),
        REPORTS,
        option("--fix", is_flag=True, help="Correct what is safe to correct, then report the rest."),
        option("--diff", is_flag=True, help="With --fix: show its changes as a diff, and change nothing."),
        CHANGED_SINCE,
        STRICT,
        EXIT_ZERO,
        ALLOW_EMPTY,
        INPUTS,
        JOBS,
        NO_CACHE,
        COLOR,
        option("-q", "--quiet", is_flag=True, help="Print the findings only, without a summary."),
        option("--statistics", is_flag=True, help="Count the findings of each code, instead of listing them."),
        option("--all", "show_all", is_flag=True, help="Print all infos on a terminal, not the first 20 only."),
        VERBOSE,
    ],
    """Report all problems that can be found without a key.

    SELECTOR is a glob over bundle ids, such as 'shop/**@prod*'; without one all bundles are checked.
    --fix quotes values that YAML readers type differently, corrects keys with one typo and only one possible
    correction, renames .yml files and corrects modelines; comments and layout stay.

    With --output-format json, stdout is always one JSON object, except after a usage error. With sarif, junit or gitlab
    it is one document in the same way.
    """,
    "envtree check 'shop/**@production'",
    can_replay=lambda params: not any(params[name] for name in ("fix", "diff", "since", "output", "reports")),
)
