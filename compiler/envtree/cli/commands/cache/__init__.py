"""The work of `envtree cache`."""
