"""Report and correct who can open the secrets files of a tree: audit, access report, generated rules and re-keying."""
