"""Declaration of `envtree secrets init`."""

from envtree.cli.support.options import COLOR, Command, option

command = Command(
    "init",
    [
        option("--name", metavar="NAME", help="Your name under 'people'; default: that of your login."),
        COLOR,
    ],
    """Set up secrets for yourself: a key, a reader, rules and git.

    It takes the age key of SOPS_AGE_KEY_FILE or of sops's own place, or makes one there; declares you as a reader in
    organization.yaml; writes the rules of .sops.yaml, as 'secrets sync' does; and has git merge and compare secrets.
    What is there already stays. The private key is never shown.
    """,
    "envtree secrets init --name ana",
    group="secrets",
)
