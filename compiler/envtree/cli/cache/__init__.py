"""Declaration of `envtree cache`; its subcommands are the modules of this package."""

from envtree.cli.support.group import CommandGroup

command = CommandGroup(
    "cache",
    ("clear",),
    "envtree.cli.cache",
    help="Manage the cache of earlier runs.",
    epilog="Example: envtree cache clear",
)
