"""Declaration of `envtree secrets`; its subcommands are the modules of this package."""

from envtree.cli.support.group import CommandGroup

# In the order of their use.
_COMMANDS: tuple[str, ...] = (
    "init",
    "list",
    "audit",
    "readers",
    "sync",
    "get",
    "set",
    "unset",
    "edit",
    "rotate",
    "install",
)
# Git starts them.
_HIDDEN = {"merge-driver": "merge_driver", "diff-driver": "diff_driver"}

command = CommandGroup(
    "secrets",
    _COMMANDS,
    "envtree.cli.secrets",
    hidden=_HIDDEN,
    help="Manage the secrets files of the tree.",
    epilog="Example: envtree secrets audit",
)
