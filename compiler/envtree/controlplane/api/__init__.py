"""The live control plane: HTTP requests and the state that they read. The stages of the compiler never import it."""
