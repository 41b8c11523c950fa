"""Everything that holds envtree to its word."""
