"""Run a program in a bundle's environment: what it takes over, and what is taken out of what it says."""

from envtree.runner.launch.child import NotStarted, become, launch
from envtree.runner.launch.seclusion import seclude
from envtree.runner.launch.spellings import patterns, unmasked
from envtree.runner.launch.surroundings import Environment, opens_secrets, surroundings

__all__ = [
    "Environment",
    "NotStarted",
    "become",
    "launch",
    "opens_secrets",
    "patterns",
    "seclude",
    "surroundings",
    "unmasked",
]
