"""Implementation of `envtree code`: the page of a diagnostic code, or the list of all codes."""

from pathlib import Path
from typing import NamedTuple

from envtree.cli.support.exits import ExitCode
from envtree.cli.support.options import usage_error
from envtree.diagnostics.codes import CODES
from envtree.diagnostics.pages import read_page
from envtree.diagnostics.suggest import did_you_mean
from envtree.system.console import out


class CodeOptions(NamedTuple):
    """The parameters of the command."""

    directory: Path
    code: str | None


def run(options: CodeOptions) -> ExitCode:
    """Print the page of a code, or a line for each code."""
    if options.code is None:
        out("".join(f"{name}  {code.severity:<8} {code.title}\n" for name, code in sorted(CODES.items())))
        return ExitCode.OK
    code = options.code.upper()
    if code not in CODES:
        raise usage_error(f"there is no code '{options.code}'", did_you_mean(code, CODES))
    out(read_page(code))
    return ExitCode.OK
