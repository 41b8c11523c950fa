"""Declaration of `envtree secrets set`."""

from typing import Any

import click

from envtree.cli.support.options import COLOR, Command, choice, complete_files, complete_ids, option, usage_error


def _reject_extra_arguments(_: click.Context, __: click.Parameter, values: tuple[Any, ...]) -> None:
    """Reject arguments after KEY without quoting them, as click would: they may be the secret value."""
    if values:
        raise usage_error("something stands behind KEY", "the value comes from stdin, or from a prompt")


command = Command(
    "set",
    [
        click.Argument(["file"], required=False, shell_complete=complete_files),
        click.Argument(["key"], required=False),
        click.Argument(["rest"], nargs=-1, metavar="", expose_value=False, callback=_reject_extra_arguments),
        choice(
            "--type",
            "type",
            values=("str", "int", "float", "bool", "json"),
            default="str",
            show_default=True,
            help="The type of the value; json is for maps and lists.",
        ),
        option("--json", "as_json", is_flag=True, help="Same as --type json."),
        option("--keep-newline", "keep_newline", is_flag=True, help="Keep the newline at the end of the input."),
        option("--inject", is_flag=True, help="Also add the line that makes the secret a variable of the bundles."),
        option(
            "--missing",
            metavar="SELECTOR",
            shell_complete=complete_ids,
            help="Ask for each secret that these bundles declare and that has no value.",
        ),
        COLOR,
    ],
    """Set one secret.

    The value is read from stdin, or from a prompt on a terminal, never from the command line. KEY is a dotted path in
    FILE. A FILE that does not exist is created and encrypted for its declared readers, or for those of .sops.yaml,
    which needs no private key. In an existing FILE, no other value changes by a byte. With --inject the variable is
    KEY, or its path in capitals: db.password becomes DB_PASSWORD.

    With --missing there is no FILE and no KEY: SELECTOR is a glob over bundle ids, and each value is written for its
    environment, at the level that declares the secret.
    """,
    "pass show shop/db | envtree secrets set environments/production.secrets.yaml db.password",
    group="secrets",
)
