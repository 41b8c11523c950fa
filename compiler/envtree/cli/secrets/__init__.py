"""Declaration of `envtree secrets`; its subcommands are the modules of this package."""

from envtree.cli.support.group import CommandGroup

# In the order of their use.
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
    help="Manage the secrets files of the tree.",
    epilog="Example: envtree secrets audit",
)
