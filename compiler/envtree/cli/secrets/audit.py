"""`envtree secrets audit`, declared."""

from envtree.cli.support.options import COLOR, STRICT, Command, choice, option

command = Command(
    "audit",
    [
        option("--decrypt", is_flag=True, help="Open the files too, and find placeholders and broken MACs in them."),
        choice(
            "--format", "form", values=("text", "json"), default="text", show_default=True, help="For people, or JSON."
        ),
        STRICT,
        COLOR,
    ],
    """List the secrets files, and what is wrong with them.

    For each: who can open it, by which rule of .sops.yaml, and whether it says where it belongs. The findings are those
    of 'envtree check' that are about secrets. It needs no key, and no value is ever shown.
    """,
    "envtree secrets audit",
    group="secrets",
)
