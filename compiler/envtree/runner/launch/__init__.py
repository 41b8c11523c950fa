"""Run a program in a bundle's environment: build the environment, forward signals, redact the output."""

import ctypes
import sys

from envtree.runner.launch.child import NotStartedError, exec_program, launch
from envtree.runner.launch.program_environment import ProgramEnvironment, build_environment, is_sops_variable
from envtree.runner.launch.secret_encodings import build_redaction_patterns, find_unmaskable

_PR_SET_DUMPABLE = 4


def hide_process_memory() -> None:
    """Close `/proc/PID/environ` and `/proc/PID/mem` to other processes of this user, on Linux.

    This ends with `exec`: a program that replaces this process is as readable as any other.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


__all__ = [
    "NotStartedError",
    "ProgramEnvironment",
    "build_environment",
    "build_redaction_patterns",
    "exec_program",
    "find_unmaskable",
    "hide_process_memory",
    "is_sops_variable",
    "launch",
]
