"""Run a program in the environment of a bundle, and redact the secrets from its output.

A command line, variables and secrets come in; the exit code of the program goes out.
"""
