"""Declaration of `envtree secrets audit`."""

from envtree.cli.support.options import COLOR, STRICT, Command, choice, option

command = Command(
    "audit",
    [
        option("--decrypt", is_flag=True, help="Also open the files, to find placeholders and broken MACs."),
        choice(
            "--format", "form", values=("text", "json"), default="text", show_default=True, help="The output format."
        ),
        STRICT,
        COLOR,
    ],
    """List the secrets files and their problems.

    For each file: who can open it, by which rule of .sops.yaml, and whether it declares its scope. The findings are
    those of 'envtree check' about secrets. It needs no key, and values are never shown.
    """,
    "envtree secrets audit",
    group="secrets",
)
