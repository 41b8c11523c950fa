"""Suites and programs that nobody here wrote, as judges of envtree."""
