"""The control plane as it is: requests over HTTP, and what they read. Nothing of the compiler imports this package."""
