"""What a run leaves for the next one, in a folder of the user's own, and whether it still holds."""

from envtree.cache.folder import Folder, find
from envtree.cache.outputs import Look, is_intact, written
from envtree.cache.witness import Seen, Witness, still

__all__ = ["Folder", "Look", "Seen", "Witness", "find", "is_intact", "still", "written"]
