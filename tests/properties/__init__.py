"""Property tests: random organizations against a naive model of the language."""
