"""Implementation of `envtree secrets diff-driver`: a secrets file as lines that git compares."""

from pathlib import Path
from typing import NamedTuple

from envtree.cli.support.exits import ExitCode
from envtree.model.diagnostic import MachineError, os_error_reason
from envtree.secrets.edit.textconv import render_textconv
from envtree.system.console import out


class SecretsDiffDriverOptions(NamedTuple):
    """The parameters of the command."""

    directory: Path
    file: str


def run(options: SecretsDiffDriverOptions) -> ExitCode:
    """Print the lines; git aborts a diff whose driver fails, so a broken file is printed as a line, too."""
    try:
        data = Path(options.file).read_bytes()
    except OSError as error:
        raise MachineError("ET805", f"cannot read '{options.file}': {os_error_reason(error)}") from None
    out(render_textconv(data, Path(options.file).name))
    return ExitCode.OK
