"""Helpers that the commands share: options, sessions over a tree, reports and exit codes."""
