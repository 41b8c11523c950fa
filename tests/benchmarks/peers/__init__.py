"""The peers' own programs for their form of the tree, each run in a virtual environment of its own."""
