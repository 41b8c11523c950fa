"""`envtree apply`, declared."""

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
        option("--prune", is_flag=True, help="Also remove what is ours and no longer in the tree."),
        option(
            "--protect",
            "protected",
            metavar="KIND/NAME",
            multiple=True,
            help="Refuse to remove these, such as 'environment/production*'; may be repeated.",
        ),
        option(
            "--vault",
            is_flag=True,
            help="Also put the values of secrets into Kubiya's vault, each under the name of its variable.",
        ),
        IDS_FILE,
        INPUTS,
        COLOR,
    ],
    """Make Kubiya's control plane as the tree says.

    With PLAN, a file of 'envtree plan --out', exactly that is done, or nothing where the control plane has changed
    since. Each write is read back and compared. What envtree did not make, or import, is never touched. A run that was
    stopped is completed by the next one.
    """,
    "envtree apply plan.json --protect 'environment/production'",
)
