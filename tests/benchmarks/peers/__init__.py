"""The peers' own programs over their form of the tree, each run in a virtual environment of its own."""
