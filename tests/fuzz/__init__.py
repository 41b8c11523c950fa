"""Fuzz targets for a coverage-guided fuzzer."""
