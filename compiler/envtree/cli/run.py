"""Declaration of `envtree run`."""

from pathlib import Path

import click

from envtree.cli.support.options import COLOR, INPUTS, Command, complete_ids, option


def _split_names(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for names in values for name in names.split(",") if name)


command = Command(
    "run",
    [
        # With --bundle there is no id, and this is the first word of the command.
        click.Argument(["id"], metavar="ID", required=False, shell_complete=complete_ids),
        click.Argument(["command"], metavar="-- COMMAND...", nargs=-1, type=click.UNPROCESSED),
        option("--pristine", is_flag=True, help="Inherit only PATH, HOME, TERM, LANG, LC_*, TZ and TMPDIR."),
        option(
            "--inherit",
            metavar="NAME,...",
            multiple=True,
            callback=_split_names,
            help="Inherit these variables too; implies --pristine; may be repeated.",
        ),
        option(
            "--bundle",
            metavar="FOLDER",
            type=click.Path(exists=True, path_type=Path),
            help="Use the compiled bundle in FOLDER, not one of the tree; then there is no ID.",
        ),
        option(
            "--no-redact",
            "no_redact",
            is_flag=True,
            help="Give the program the terminal itself; secrets are not redacted.",
        ),
        option(
            "--allow",
            metavar="NAME,...",
            multiple=True,
            callback=_split_names,
            help="Let the bundle set these variables, although they control programs; may be repeated.",
        ),
        INPUTS,
        COLOR,
    ],
    """Run a program in the environment of a bundle.

    Secrets are decrypted in memory, and redacted in all output of the program. The exit code is that of the program:
    128 + N for signal N, 127 if there is no such program, 126 if it cannot be run.
    """,
    "envtree run shop/checkout/refunds@production -- ./refunds --dry-run",
)
