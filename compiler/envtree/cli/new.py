"""Declaration of `envtree new`."""

import click

from envtree.cli.support.options import COLOR, Command

command = Command(
    "new",
    [
        click.Argument(
            ["kind"],
            type=click.Choice(["project", "environment", "team", "agent", "mixin", "skill", "policy"]),
            metavar="KIND",
        ),
        click.Argument(["name"]),
        COLOR,
    ],
    """Write the file of a new entity, with comments.

    KIND is project, environment, team, agent, mixin, skill or policy. NAME is as in bundle ids: shop/cart is the team
    cart of the project shop, shop/cart/bot an agent of it. A project can be left out where there is one only. Nothing
    is written that would be an error, and nothing is overwritten.
    """,
    "envtree new agent shop/cart/helper",
)
