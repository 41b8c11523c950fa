"""`envtree secrets diff-driver`, declared."""

import click

from envtree.cli.support.options import Command

command = Command(
    "diff-driver",
    [click.Argument(["file"], type=click.Path(exists=True, dir_okay=False))],
    """Show a secrets file as lines to compare.

    These are keys, types, lengths, and who can open it; no key is needed. Git asks for them, so that a diff shows
    which secrets were added, changed and removed, and never a value.
    """,
    "git config diff.envtree-secrets.textconv 'envtree secrets diff-driver --'",
    group="secrets",
)
