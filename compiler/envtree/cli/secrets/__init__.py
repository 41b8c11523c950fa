"""`envtree secrets`, declared: each subcommand is a module here."""

from envtree.cli.group import Group

# In the order in which somebody meets them.
_NAMES: tuple[str, ...] = ()

command = Group(
    "secrets",
    _NAMES,
    "envtree.cli.secrets",
    help="Look after the SOPS files of the tree: what is in them, who can read them, and how they change.",
)
