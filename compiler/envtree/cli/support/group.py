"""A click group whose subcommands are declared in modules that are imported on demand."""

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import click

from envtree.cli.support.options import module_name, usage_error
from envtree.diagnostics.suggest import nearest_name


class CommandGroup(click.Group):
    """A group with the subcommands `names`, declared in modules of `package`, implemented in `cli/commands/`."""

    def __init__(self, name: str, names: Sequence[str], package: str, **settings: Any) -> None:
        super().__init__(name, **settings)
        self._names = tuple(names)
        self._package = package

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of their declaration, which follows their use."""
        return list(self._names)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import a subcommand and return it; None if there is no such name."""
        if name not in self._names:
            return None
        command: click.Command = import_module(f"{self._package}.{module_name(name)}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the subcommand of a command line; the error for an unknown one suggests the nearest name."""
        if args[0] not in self._names and not args[0].startswith("-") and not ctx.resilient_parsing:
            group_path = ctx.command_path.removeprefix("envtree").strip()
            nearest = nearest_name(args[0], self._names)
            hint = f"did you mean '{nearest}'?" if nearest else f"'{ctx.command_path} --help' lists what there is"
            raise usage_error(f"there is no command '{' '.join(filter(None, (group_path, args[0])))}'", hint)
        return super().resolve_command(ctx, args)
