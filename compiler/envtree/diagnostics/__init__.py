"""Diagnostics of a run in, findings out: codes and their pages, severities, fingerprints, JSON and suggestions."""
