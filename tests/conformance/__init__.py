"""Conformance tests: envtree compared with test suites and programs of other projects."""
