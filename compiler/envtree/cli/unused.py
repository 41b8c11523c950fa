"""Declaration of `envtree unused`."""

from envtree.cli.support.options import COLOR, Command, option, output_format

command = Command(
    "unused",
    [
        output_format("text", "json"),
        option("--strict", is_flag=True, help="Exit with 1 if anything is found."),
        COLOR,
    ],
    """Show what can be removed without changing any bundle.

    This is everything that reaches no bundle, or is shadowed in every one: values, secrets, files, declarations.
    Allow those that should stay with a comment in place: `# envtree: allow CODE: why`.
    If there is no answer, stdout is empty and stderr has the reason.
    """,
    "envtree unused --strict",
)
