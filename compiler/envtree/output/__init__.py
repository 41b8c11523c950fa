"""Bundles to files: encode them in the output formats, then write them, or compare them with what is on disk."""
