"""Declaration of `envtree secrets install`."""

from envtree.cli.support.options import Command, option

command = Command(
    "install",
    [option("--write", is_flag=True, help="Write them to this clone's configuration, and to .gitattributes.")],
    """Show git settings to merge and compare secrets by key.

    With these settings git shows no values. The lines of .gitattributes are for everybody and belong into a commit;
    those of git's configuration name the program on this machine, so each clone needs them once.
    """,
    "envtree secrets install --write",
    group="secrets",
)
