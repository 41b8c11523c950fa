"""Run a program in a bundle's environment: what it takes over, and what is taken out of what it says."""

from envtree.runner.launch.child import NotStartedError, exec_program, launch
from envtree.runner.launch.program_environment import ProgramEnvironment, build_environment, is_sops_variable
from envtree.runner.launch.seclusion import hide_process_memory
from envtree.runner.launch.secret_encodings import build_redaction_patterns, find_unmaskable

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
