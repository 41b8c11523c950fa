"""`envtree secrets set`, declared."""

from typing import Any

import click

from envtree.cli.support.options import COLOR, Command, choice, complete_files, option, usage_error


def _reject_extra_arguments(_: click.Context, __: click.Parameter, values: tuple[Any, ...]) -> None:
    """What stands behind KEY may well be the value, so it is not repeated as click would."""
    if values:
        raise usage_error("something stands behind KEY", "the value comes from stdin, or from a prompt")


command = Command(
    "set",
    [
        click.Argument(["file"], shell_complete=complete_files),
        click.Argument(["key"]),
        click.Argument(["rest"], nargs=-1, metavar="", expose_value=False, callback=_reject_extra_arguments),
        choice(
            "--type",
            "type",
            values=("str", "int", "float", "bool", "json"),
            default="str",
            show_default=True,
            help="What the value is; json is for maps and lists.",
        ),
        option("--json", "as_json", is_flag=True, help="The same as --type json."),
        option("--keep-newline", "keep_newline", is_flag=True, help="Keep the newline at the end of what comes in."),
        COLOR,
    ],
    """Write one secret. Its value comes from stdin, or from a prompt on a terminal, and never from the command line.

    KEY is a dotted path in FILE. A FILE that does not exist is encrypted for its declared readers, or for those whom
    .sops.yaml names, which takes no private key. Of one that exists, no other value changes a byte.
    """,
    "pass show shop/db | envtree secrets set environments/production.secrets.yaml db.password",
    group="secrets",
)
