"""Scripts that merge layers with other programs, each run in its own virtual environment, for many cases at once."""
