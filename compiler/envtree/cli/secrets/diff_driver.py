"""Declaration of `envtree secrets diff-driver`."""

import click

from envtree.cli.support.options import Command

command = Command(
    "diff-driver",
    [click.Argument(["file"], type=click.Path(exists=True, dir_okay=False))],
    """Print a secrets file as lines that git can compare.

    The lines contain keys, types, lengths, and who can open the file; no key is needed. Git runs this, so that a diff
    shows which secrets were added, changed and removed, and never a value.
    """,
    "git config diff.envtree-secrets.textconv 'envtree secrets diff-driver --'",
    group="secrets",
)
