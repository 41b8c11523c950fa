"""The stage `parse`: bytes of a file go in, a `Document` with the source position of every node comes out."""

from envtree.frontend.parse.document import parse

__all__ = ["parse"]
