"""Verified changes of the tree: findings come in, edits and renames of files go out."""
