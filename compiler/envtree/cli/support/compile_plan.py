"""The plan of `compile` and `watch -o`: what to write, and where."""

from typing import NamedTuple

from envtree.engine.publish import AddFiles, Destinations
from envtree.engine.request import Request


class CompilePlan(NamedTuple):
    """The request, destinations and formats of a command line, with the defaults of the tree filled in.

    `add_files` adds further files to each bundle.
    """

    request: Request
    destinations: Destinations
    formats: frozenset[str]
    add_files: AddFiles
