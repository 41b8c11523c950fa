"""`envtree cache`, declared: each subcommand is a module here."""

from envtree.cli.support.group import CommandGroup

command = CommandGroup(
    "cache",
    ("clear",),
    "envtree.cli.cache",
    help="Look after what is known from earlier runs.",
    epilog="Example: envtree cache clear",
)
