"""Programs of others that merge layers, each run in a virtual environment of its own over many cases at once."""
