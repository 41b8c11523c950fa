"""The logical organization of `model.py`, written in the form of each tool."""
