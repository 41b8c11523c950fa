"""The work of the subcommands of `envtree secrets`."""
