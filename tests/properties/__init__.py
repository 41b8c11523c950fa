"""Property tests: compare envtree on random organizations with a naive model of the language."""
