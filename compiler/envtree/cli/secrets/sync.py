"""Declaration of `envtree secrets sync`."""

from envtree.cli.support.options import COLOR, Command, option

command = Command(
    "sync",
    [
        option("--check", is_flag=True, help="Write nothing; show what would change; exit with 1 if anything would."),
        option("--update-keys", is_flag=True, help="Encrypt the files for the keys of their rules; needs a key."),
        COLOR,
    ],
    """Generate .sops.yaml and CODEOWNERS from declarations.

    The declarations are 'people', 'secret_readers' and 'owners'. Only the part between two comments is generated; the
    rest of these files is kept. A secrets file without '_scope' gets one, which needs a key that opens the file.
    """,
    "envtree secrets sync --check",
    group="secrets",
)
