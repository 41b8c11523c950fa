"""`envtree secrets install`, declared."""

from envtree.cli.support.options import Command, option

command = Command(
    "install",
    [option("--write", is_flag=True, help="Write them into this clone's configuration, and into .gitattributes.")],
    """Show how git merges and compares secrets files by key.

    These lines have it do so, and show no value. Those of .gitattributes are for everybody and belong
    into a commit; those of git's configuration name the program on this machine, so each clone needs them once.
    """,
    "envtree secrets install --write",
    group="secrets",
)
