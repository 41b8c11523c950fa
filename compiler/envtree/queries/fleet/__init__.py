"""Questions about all bundles of a tree at once."""
