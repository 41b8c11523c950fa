"""Declaration of `envtree secrets list`."""

from envtree.cli.support.options import COLOR, INPUTS, SELECTORS, Command, output_format

command = Command(
    "list",
    [SELECTORS, output_format("text", "json"), INPUTS, COLOR],
    """List the secrets of the tree.

    For each secret: its file, its type, the age of the file, and the variables that it becomes, with the lines that
    inject it. With a SELECTOR, a glob over bundle ids, only secrets that these bundles read. It needs no key.
    """,
    "envtree secrets list 'shop/**@production'",
    group="secrets",
)
