"""Declaration of `envtree kubiya import`."""

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
            help="Encrypt the secrets in use for this age recipient; may be repeated.",
        ),
        option(
            "--adopt",
            metavar="KIND/NAME",
            multiple=True,
            help="Write no tree; the current tree manages these objects from now on; may be repeated.",
        ),
        IDS_FILE,
    ],
    """Write the live state of Kubiya as a tree into DIR.

    Settings that all agents share are written once. The tree compiles, and 'envtree kubiya plan' finds nothing to
    change: objects that a tree cannot express with certainty are left out and listed. The control plane is not changed;
    DIR also contains the ids of the objects that the tree manages from now on.
    """,
    "envtree kubiya import acme",
    group="kubiya",
)
