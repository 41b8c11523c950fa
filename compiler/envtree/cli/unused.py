"""`envtree unused`, declared."""

from envtree.cli.support.options import COLOR, Command, choice, option

command = Command(
    "unused",
    [
        choice(
            "--format", "form", values=("text", "json"), default="text", show_default=True, help="For people, or JSON."
        ),
        option("--strict", is_flag=True, help="Exit with 1 if anything is found."),
        COLOR,
    ],
    """Show what can go without a change of any bundle.

    That is all that reaches no bundle, or is shadowed in every one: values, secrets, files, declarations.
    What is meant to stay can be allowed in place: `# envtree: allow CODE: why`.
    Where there is no answer, stdout is empty and stderr says why.
    """,
    "envtree unused --strict",
)
