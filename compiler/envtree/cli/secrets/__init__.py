"""`envtree secrets`, declared: each subcommand is a module here."""

from envtree.cli.support.group import CommandGroup

# In the order in which somebody meets them.
_COMMANDS: tuple[str, ...] = (
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

command = CommandGroup(
    "secrets",
    _COMMANDS,
    "envtree.cli.secrets",
    help="Look after the secrets files of the tree.",
    epilog="Example: envtree secrets audit",
)
