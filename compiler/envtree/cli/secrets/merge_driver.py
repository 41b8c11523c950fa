"""`envtree secrets merge-driver`, declared."""

import click

from envtree.cli.support.options import Command

command = Command(
    "merge-driver",
    [
        *(click.Argument([name], type=click.Path(exists=True, dir_okay=False)) for name in ("base", "ours", "theirs")),
        click.Argument(["path"]),
    ],
    """Merge three versions of a secrets file.

    Git asks for it with %O %A %B %P. The result replaces OURS. Values that only one side has changed are that
    side's; where both have, ours stays, the key is named, and the exit code is 1. It takes a key that opens the
    file; without one OURS stays as it is.
    """,
    "git config merge.envtree-secrets.driver 'envtree secrets merge-driver -- %O %A %B %P'",
    group="secrets",
)
