"""Cache the results of a run for the next one, in a private folder of the user, and check that they are still valid."""

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
