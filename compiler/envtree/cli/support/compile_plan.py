"""What `compile` and `watch -o` write, and where."""

from typing import NamedTuple

from envtree.engine.publish import AddFiles, Destinations
from envtree.engine.request import Request


class CompilePlan(NamedTuple):
    """What a command line asks for, with what the tree says where it says nothing."""

    request: Request
    places: Destinations
    formats: frozenset[str]
    beside: AddFiles
