"""`envtree secrets`, declared: each subcommand is a module here."""

from envtree.cli.support.group import Group

# In the order in which somebody meets them.
_NAMES: tuple[str, ...] = (
    "audit",
    "readers",
    "sync",
    "set",
    "edit",
    "rotate",
    "install",
    "merge-driver",
    "diff-driver",
)

command = Group(
    "secrets",
    _NAMES,
    "envtree.cli.secrets",
    help="Look after the secrets files of the tree.",
    epilog="Example: envtree secrets audit",
)
