"""The implementations of the subcommands of `envtree kubiya`."""
