"""envtree compiles an organization kept as YAML in git into one resolved bundle per agent and environment."""

__version__ = "0.1.0"
EDITION = 2026
