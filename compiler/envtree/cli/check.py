"""`envtree check`, declared."""

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
    choice,
    option,
)

command = Command(
    "check",
    [
        SELECTORS,
        choice(
            "--format",
            "form",
            values=FINDING_FORMATS,
            help="The form of the findings; text, or github where GITHUB_ACTIONS is set.",
        ),
        option(
            "-o",
            "--output",
            metavar="FILE",
            type=click.Path(dir_okay=False, path_type=Path),
            help="Write the findings into FILE, not on stdout.",
        ),
        REPORTS,
        option("--fix", is_flag=True, help="Mend what is safe to mend, then tell what is left."),
        option("--diff", is_flag=True, help="With --fix: show what it would change, and change nothing."),
        CHANGED_SINCE,
        STRICT,
        EXIT_ZERO,
        ALLOW_EMPTY,
        INPUTS,
        JOBS,
        NO_CACHE,
        COLOR,
        VERBOSE,
    ],
    """Find all that can be known to be wrong without a key.

    SELECTOR is a glob over bundle ids, such as 'shop/**@prod*'; without one all bundles are checked.
    --fix quotes what readers of YAML type differently, corrects a key that is one slip away from the only
    one it can mean, renames .yml files and sets wrong modelines right; comments and layout stay.

    With --format json, stdout is one JSON object whatever happens, unless the command line is wrong.
    With sarif, junit or gitlab it is one document in the same way.
    """,
    "envtree check 'shop/**@production'",
    can_replay=lambda params: not any(params[name] for name in ("fix", "diff", "since", "output", "reports")),
)
