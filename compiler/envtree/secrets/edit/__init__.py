"""Set values, rotate keys, merge versions and show differences of secrets files; the real sops does the encryption."""
