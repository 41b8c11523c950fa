"""`envtree run`, declared."""

from pathlib import Path

import click

from envtree.cli.support.options import COLOR, INPUTS, Command, complete_ids, option


def _split_names(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for names in values for name in names.split(",") if name)


command = Command(
    "run",
    [
        # With --bundle there is no id: what stands here is the first word of the command.
        click.Argument(["id"], metavar="ID", required=False, shell_complete=complete_ids),
        click.Argument(["command"], metavar="-- COMMAND...", nargs=-1, type=click.UNPROCESSED),
        option("--pristine", is_flag=True, help="Take over nothing but PATH, HOME, TERM, LANG, LC_*, TZ and TMPDIR."),
        option(
            "--inherit",
            metavar="NAME,...",
            multiple=True,
            callback=_split_names,
            help="Take over these variables too, and with them the pristine ones only; may be repeated.",
        ),
        option(
            "--bundle",
            metavar="FOLDER",
            type=click.Path(exists=True, path_type=Path),
            help="Run in the environment of a compiled bundle, not of one of the tree; then there is no ID.",
        ),
        option("--no-redact", "bare", is_flag=True, help="Hand the terminal over as it is: secrets can be read there."),
        option(
            "--allow",
            metavar="NAME,...",
            multiple=True,
            callback=_split_names,
            help="Let the bundle set these names, although programs take orders from them; may be repeated.",
        ),
        INPUTS,
        COLOR,
    ],
    """Run a program in the environment of a bundle.

    Secrets are decrypted in memory, and taken out of all that the program writes. Its exit code is that of envtree:
    128 + N for signal N, 127 if there is no such program, 126 if it cannot be run.
    """,
    "envtree run shop/checkout/refunds@production -- ./refunds --dry-run",
)
