"""Declaration of `envtree secrets audit`."""

from envtree.cli.support.options import COLOR, STRICT, Command, option, output_format

command = Command(
    "audit",
    [
        option("--decrypt", is_flag=True, help="Also open the files, to find placeholders and broken MACs."),
        output_format("text", "json"),
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
