"""Declaration of `envtree kubiya`; its subcommands are the modules of this package."""

from envtree.cli.support.group import CommandGroup

command = CommandGroup(
    "kubiya",
    ("plan", "apply", "drift", "import"),
    "envtree.cli.kubiya",
    help="Compare and apply the tree to Kubiya's control plane.",
    epilog="Example: envtree kubiya plan",
)
