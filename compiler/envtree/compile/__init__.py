"""From layers to bundles: layer, merge, resolve, assemble and lint.

A linked workspace comes in; bundles whose secret and unknown values are hidden, and findings about them, go out.
"""
