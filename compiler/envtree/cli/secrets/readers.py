"""`envtree secrets readers`, declared."""

from envtree.cli.support.options import COLOR, INPUTS, SELECTORS, Command, choice, option

command = Command(
    "readers",
    [
        SELECTORS,
        option("--person", metavar="NAME", help="Tell of one person only: a name of 'people', or a key."),
        choice(
            "--format", "form", values=("text", "json"), default="text", show_default=True, help="For people, or JSON."
        ),
        option("-v", "--verbose", is_flag=True, help="Name every bundle."),
        INPUTS,
        COLOR,
    ],
    """Show who can read which secret of which bundle.

    It goes by the keys that the files are really encrypted for, not by what is declared, and needs no key.
    SELECTOR is a glob over bundle ids.
    """,
    "envtree secrets readers 'shop/**@production' --person ana",
    group="secrets",
)
