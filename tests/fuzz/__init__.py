"""Inputs that nobody thought of: targets for a fuzzer that watches which lines of envtree it reaches."""
