"""`envtree secrets install`, declared."""

from envtree.cli.options import Command, option

command = Command(
    "install",
    [option("--write", is_flag=True, help="Write them into this clone's configuration, and into .gitattributes.")],
    """Show how git comes to use the two drivers.

    With them it merges secrets files by key, and shows their differences without values. The lines of
    .gitattributes are for everybody and belong into a commit; those of git's configuration name the program on this
    machine, so each clone needs them once.
    """,
    "envtree secrets install --write",
    group="secrets",
)
