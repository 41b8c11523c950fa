"""Declared parameters and implementations agree: every command passes exactly the fields of its options."""

from collections.abc import Iterator
from importlib import import_module

import click
import pytest

from envtree.cli import cli
from envtree.cli.support.options import Command, _options_type


def commands(group: click.Group, path: str = "") -> Iterator[tuple[str, click.Command]]:
    """Yield all commands below a group, each with its full name."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command, name
        if isinstance(command, click.Group):
            yield from commands(command, f"{path}{name} ")
        else:
            yield f"{path}{name}", command


COMMANDS = dict(commands(cli))


@pytest.mark.parametrize("name", COMMANDS)
def test_parameters_are_the_fields_of_the_options(name: str) -> None:
    command = COMMANDS[name]
    assert isinstance(command, Command)
    names = [parameter.name for parameter in command.params if parameter.expose_value]
    assert len(names) == len(set(names)), "two parameters have the same name"
    parameters = {"directory", *names}
    if command._can_replay:
        # `Command` handles these itself, and passes the cache instead.
        assert "no_cache" in parameters
        parameters = parameters - {"no_cache", "verify_outputs"} | {"replay_cache"}
    options = _options_type(import_module(command._module_path))
    assert set(options._fields) == parameters  # type: ignore[attr-defined]


def test_subcommands_of_groups_are_included() -> None:
    assert {"check", "secrets set", "cache clear"} <= COMMANDS.keys()
