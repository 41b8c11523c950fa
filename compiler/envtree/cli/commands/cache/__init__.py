"""The implementations of the subcommands of `envtree cache`."""
