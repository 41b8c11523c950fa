"""The stage that reads files: bytes to documents, every node with its place."""

from envtree.frontend.parse.document import parse

__all__ = ["parse"]
