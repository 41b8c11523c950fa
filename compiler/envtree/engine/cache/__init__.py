"""What a run leaves for the next one, in a folder of the user's own, and whether it still holds."""

from envtree.engine.cache.cache_folder import CacheFolder, find_cache_folder
from envtree.engine.cache.output_state import NO_OUTPUT, OutputState, capture_output, is_intact, may_be_intact
from envtree.engine.cache.recorded_reads import ReadLog, ReadRecorder

__all__ = [
    "NO_OUTPUT",
    "CacheFolder",
    "OutputState",
    "ReadLog",
    "ReadRecorder",
    "capture_output",
    "find_cache_folder",
    "is_intact",
    "may_be_intact",
]
