"""Synchronize the control plane with the tree: compare (`plan`), change (`apply`), and import (`importable_tree`).

In: desired resources and the live state. Out: a plan and its requests, the drift in it, or the files of a new tree.
"""
