"""Declaration of `envtree secrets readers`."""

from envtree.cli.support.options import COLOR, INPUTS, SELECTORS, Command, option, output_format

command = Command(
    "readers",
    [
        SELECTORS,
        option("--person", metavar="NAME", help="Show one person only: a name of 'people', or a key."),
        output_format("text", "json"),
        option("-v", "--verbose", is_flag=True, help="List every bundle."),
        INPUTS,
        COLOR,
    ],
    """Show who can read which secret of which bundle.

    It uses the keys that the files are actually encrypted for, not the declared readers, and needs no key.
    SELECTOR is a glob over bundle ids.
    """,
    "envtree secrets readers 'shop/**@production' --person ana",
    group="secrets",
)
