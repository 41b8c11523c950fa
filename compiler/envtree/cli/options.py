"""What the declarations of the commands share; nothing here imports the compiler."""

import re
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from envtree.cli.complete import ids


class Command(click.Command):
    """A command whose work is a module: its `Options` take the arguments, its `run` does what they say."""

    def __init__(self, name: str, params: Sequence[click.Parameter], text: str, example: str) -> None:
        super().__init__(name, params=list(params), help=text, epilog=f"Example: {example}")

    def invoke(self, ctx: click.Context) -> Any:
        """Import the work and do it; its exit code."""
        work = import_module(f"envtree.cli.work.{self.name}")
        return work.run(work.Options(directory=ctx.obj, **ctx.params))


def usage_error(message: str, hint: str) -> click.UsageError:
    """What was wrong on the command line, and what to do."""
    return click.UsageError(f"{message}; {hint}" if hint else message)


def option(*names: str, **settings: Any) -> click.Option:
    """An option of a command."""
    return click.Option(list(names), **settings)


def choice(*names: str, values: Sequence[str], **settings: Any) -> click.Option:
    """An option that takes one of a few words."""
    return option(*names, type=click.Choice(list(values)), **settings)


def complete_ids(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem[Any]]:
    """The ids that begin with what has been typed."""
    directory = ctx.find_root().params.get("directory") or Path()
    return [CompletionItem(id) for id in ids(directory) if id.startswith(incomplete)]


def _inputs(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    wrong = next((pair for pair in given if not re.match(r"[^=]+=", pair)), None)
    if wrong is not None:
        raise click.BadParameter("write NAME=VALUE")
    return dict(pair.split("=", 1) for pair in given)


SELECTORS = click.Argument(
    ["selectors"], metavar="[SELECTOR]...", nargs=-1, required=False, shell_complete=complete_ids
)
INPUTS = option(
    "--input",
    "inputs",
    metavar="NAME=VALUE",
    multiple=True,
    callback=_inputs,
    help="Set an input that organization.yaml declares; may be repeated.",
)
ALLOW_EMPTY = option("--allow-empty", is_flag=True, help="Let a run over no bundle at all pass.")
STRICT = option("--strict", is_flag=True, help="Treat warnings like errors.")
COLOR = choice(
    "--color", values=("auto", "always", "never"), default="auto", show_default=True, help="When to colour findings."
)
VERBOSE = option("-v", "--verbose", is_flag=True, help="List the checks that could not be made.")
