"""Declaration of `envtree kubiya apply`."""

from pathlib import Path

import click

from envtree.cli.support.options import COLOR, IDS_FILE, INPUTS, Command, option

command = Command(
    "apply",
    [
        click.Argument(
            ["plan"],
            metavar="[PLAN]",
            required=False,
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
        ),
        option("--prune", is_flag=True, help="Also delete managed objects that are no longer in the tree."),
        option(
            "--protect",
            "protected",
            metavar="KIND/NAME",
            multiple=True,
            help="Refuse to delete these objects, such as 'environment/production*'; may be repeated.",
        ),
        option(
            "--vault",
            is_flag=True,
            help="Also store secret values in Kubiya's vault, each under the name of its variable.",
        ),
        IDS_FILE,
        INPUTS,
        COLOR,
    ],
    """Apply the tree to Kubiya's control plane.

    With PLAN, a file of 'envtree kubiya plan --out', exactly that plan is applied, or nothing if the control plane has
    changed since. Each write is read back and compared. Objects that envtree neither created nor imported are never
    changed. A run that was stopped is completed by the next one.
    """,
    "envtree kubiya apply plan.json --protect 'environment/production'",
    group="kubiya",
)
