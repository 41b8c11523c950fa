"""Writers of the logical organization of `model.py` in the form of each tool."""
