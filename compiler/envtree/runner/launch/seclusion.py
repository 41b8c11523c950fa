"""Keep what is in this process from the programs that it starts: its variables open secrets, and so does its memory."""

import ctypes
import sys

_PR_SET_DUMPABLE = 4


def hide_process_memory() -> None:
    """Close `/proc/PID/environ` and `/proc/PID/mem` to other processes of this user, on Linux.

    Another program that takes the place of this one is as open as ever.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
