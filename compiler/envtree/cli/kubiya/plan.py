"""Declaration of `envtree kubiya plan`."""

from pathlib import Path

import click

from envtree.cli.support.options import COLOR, DETAILED_EXITCODE, IDS_FILE, INPUTS, PLAN_FORMAT, Command, option

command = Command(
    "plan",
    [
        option(
            "--out",
            metavar="FILE",
            type=click.Path(dir_okay=False, path_type=Path),
            help="Also write the plan to FILE; 'envtree kubiya apply FILE' applies exactly that.",
        ),
        PLAN_FORMAT,
        DETAILED_EXITCODE,
        IDS_FILE,
        INPUTS,
        COLOR,
    ],
    """Show what 'apply' would change at Kubiya, and why.

    The live state is read and nothing is changed. KUBIYA_API_KEY is the key, KUBIYA_CONTROL_PLANE_BASE_URL the address
    if it is not Kubiya's own. Secrets are listed by name; no key to them is needed. With --detailed-exitcode, 0 means
    that nothing would change, 2 that something would.
    """,
    "envtree kubiya plan --out plan.json",
    group="kubiya",
)
