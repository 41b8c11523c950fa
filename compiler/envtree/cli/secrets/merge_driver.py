"""Declaration of `envtree secrets merge-driver`."""

import click

from envtree.cli.support.options import Command

command = Command(
    "merge-driver",
    [
        *(click.Argument([name], type=click.Path(exists=True, dir_okay=False)) for name in ("base", "ours", "theirs")),
        click.Argument(["path"]),
    ],
    """Merge three versions of a secrets file.

    Git runs this with %O %A %B %P. The result replaces OURS. A value that only one side has changed is taken from that
    side; if both have, ours stays, the key is named, and the exit code is 1. It needs a key that opens the file;
    without one, OURS is unchanged.
    """,
    "git config merge.envtree-secrets.driver 'envtree secrets merge-driver -- %O %A %B %P'",
    group="secrets",
)
