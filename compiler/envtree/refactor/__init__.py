"""refactor."""
