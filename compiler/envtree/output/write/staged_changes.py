"""The changes that one process has staged, for the process that commits them."""

from typing import NamedTuple


class StagedChanges(NamedTuple):
    """The `moves` and `removals` for the journal, and the visited folders with their permissions."""

    moves: tuple[tuple[str, str], ...] = ()
    removals: tuple[str, ...] = ()
    folders: tuple[tuple[str, int | None], ...] = ()
