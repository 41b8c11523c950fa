"""A click group whose subcommands are declared in modules that are imported on demand."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import click

from envtree.cli.support.options import module_name, usage_error
from envtree.diagnostics.suggest import nearest_name

_Sections = Mapping[str, Sequence[str]]


class CommandGroup(click.Group):
    """A group with subcommands in modules of `package`, implemented in `cli/commands/`.

    `names` are the names that the help lists, in order, or under headings. `hidden` has further names and their
    modules, and `words_module` the words of other programs, with a hint for each.
    """

    def __init__(
        self,
        name: str,
        names: Sequence[str] | _Sections,
        package: str,
        *,
        hidden: Mapping[str, str] | None = None,
        words_module: str = "",
        **settings: Any,
    ) -> None:
        super().__init__(name, **settings)
        self._sections: _Sections = names if isinstance(names, Mapping) else {"Commands": names}
        self._names = tuple(name for section in self._sections.values() for name in section)
        self._package = package
        self._hidden, self._words_module = hidden or {}, words_module

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the listed names in the order of their declaration, which follows their use."""
        return list(self._names)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import a subcommand and return it; None if there is no such name."""
        module = module_name(name) if name in self._names else self._hidden.get(name)
        if module is None:
            return None
        command: click.Command = import_module(f"{self._package}.{module}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the subcommands under their headings."""
        limit = formatter.width - 6 - max(map(len, self._names))
        for heading, names in self._sections.items():
            commands = {name: self.get_command(ctx, name) for name in names}
            with formatter.section(heading):
                formatter.write_dl(
                    [(name, command.get_short_help_str(limit)) for name, command in commands.items() if command]
                )

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the subcommand of a command line; the error for an unknown one has a hint."""
        name = args[0]
        is_known = name in self._names or name in self._hidden
        if not is_known and not name.startswith("-") and not ctx.resilient_parsing:
            group_path = ctx.command_path.removeprefix("envtree").strip()
            message = f"there is no command '{' '.join(filter(None, (group_path, name)))}'"
            raise usage_error(message, self._hint(ctx, name))
        return super().resolve_command(ctx, args)

    def _hint(self, ctx: click.Context, name: str) -> str:
        """Return the hint for an unknown command: a word of another program, or the nearest name."""
        words: Mapping[str, str] = import_module(self._words_module).OTHER_WORDS if self._words_module else {}
        if name.lower() in words:
            return words[name.lower()]
        nearest = nearest_name(name, self._names)
        return f"did you mean '{nearest}'?" if nearest else f"'{ctx.command_path} --help' lists what there is"
