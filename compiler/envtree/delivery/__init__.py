"""Merge, verify and prove compiled outputs.

Outputs and the repository come in; a merged output, problems and receipts go out.
"""
