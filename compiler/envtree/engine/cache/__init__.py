"""What a run leaves for the next one, in a folder of the user's own, and whether it still holds."""

from envtree.engine.cache.folder import Folder, find
from envtree.engine.cache.outputs import NOWHERE, Place, is_intact, may_be_intact, written
from envtree.engine.cache.recorded_reads import Seen, Witness

__all__ = ["NOWHERE", "Folder", "Place", "Seen", "Witness", "find", "is_intact", "may_be_intact", "written"]
