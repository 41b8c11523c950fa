"""`envtree import`, declared."""

from pathlib import Path

import click

from envtree.cli.support.options import IDS_FILE, Command, option

command = Command(
    "import",
    [
        click.Argument(["target"], metavar="[DIR]", required=False, type=click.Path(file_okay=False, path_type=Path)),
        option(
            "--age",
            "recipients",
            metavar="RECIPIENT",
            multiple=True,
            help="Encrypt the secrets that are in use for this age recipient; may be repeated.",
        ),
        option(
            "--adopt",
            metavar="KIND/NAME",
            multiple=True,
            help="Write no tree: from now on these objects are the tree's that we are in; may be repeated.",
        ),
        IDS_FILE,
    ],
    """Write Kubiya's live state as a tree into DIR.

    What all agents share is said once. The tree compiles, and 'envtree plan' finds nothing to do: what a tree cannot
    say, or what is not sure, is left alone and named. The control plane is not changed; DIR holds the ids of what is
    the tree's from now on.
    """,
    "envtree import acme",
)
