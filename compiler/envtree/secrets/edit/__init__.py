"""Secrets files as people change them: values set, versions merged, differences shown; all with the real sops."""
