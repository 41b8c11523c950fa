"""The checks of a change: what they install, the sessions that run them, and the summary of their results.

The modules use the standard library only, because they run before anything is installed.
"""
