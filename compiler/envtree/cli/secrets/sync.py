"""`envtree secrets sync`, declared."""

from envtree.cli.support.options import COLOR, Command, option

command = Command(
    "sync",
    [
        option("--check", is_flag=True, help="Write nothing; show what would change; exit with 1 if something would."),
        option("--update-keys", is_flag=True, help="Encrypt the files for the keys of their rules; needs a key."),
        COLOR,
    ],
    """Write .sops.yaml and CODEOWNERS from what is declared.

    They follow from 'people', 'secret_readers' and 'owners'. Only the part between two comments is generated; all else
    in these files stays. A secrets file without '_scope' gets it, which needs a key that opens the file.
    """,
    "envtree secrets sync --check",
    group="secrets",
)
