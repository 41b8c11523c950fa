"""The stages from bytes to linked objects: a `Tree` goes in, a `Workspace` comes out, problems go to the diagnostics.

`discover`, `parse` and `validate` work on one file at a time, `link` on all of them.
"""
