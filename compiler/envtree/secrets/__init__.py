"""Run sops or read its files natively, edit and seal secrets, and report who can open which file.

Secrets files and declared readers come in; plaintext, encrypted files and access reports go out.
"""
