"""What a process has put into an output, for the one that commits it."""

from typing import NamedTuple


class StagedChanges(NamedTuple):
    """`moves` and `removals` of the journal, and the folders with their permissions."""

    moves: tuple[tuple[str, str], ...] = ()
    removals: tuple[str, ...] = ()
    folders: tuple[tuple[str, int | None], ...] = ()
