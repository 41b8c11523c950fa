"""Streams of which some items are taken at a time, so that a stage does the same for many before the next one begins.

A processor has close to it what it used last. Where stages take turns for each item, that is always what another one
needs, and all of them together take a tenth longer.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")

# With more nothing is gained, and all of them are kept for so long.
_BATCH_SIZE = 100


def in_batches(items: Iterable[T]) -> Iterator[T]:
    """The items as they come, each batch taken as a whole before the first of it is given."""
    items = iter(items)
    while batch := list(islice(items, _BATCH_SIZE)):
        yield from batch
