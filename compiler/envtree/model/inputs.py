"""The declared inputs of a run: the only values that `compile` reads from its environment."""

from collections.abc import Mapping

from envtree.model.resolved import UNKNOWN, HiddenValue, UnsetInputSymbol
from envtree.model.workspace import Input


class UnknownInputError(Exception):
    """An input was set that organization.yaml does not declare."""

    def __init__(self, name: str, declared_names: tuple[str, ...]) -> None:
        super().__init__(name)
        self.name, self.declared_names = name, declared_names


def collect_inputs(
    declared: Mapping[str, Input], explicit: Mapping[str, str], environ: Mapping[str, str], *, allow_undeclared: bool
) -> dict[str, str | HiddenValue]:
    """Return the value of each declared input: explicit, from its variable, the default, or unknown, in this order.

    Raise UnknownInputError for an explicit input that is not declared, unless `allow_undeclared`: trees that are
    compared share their inputs.
    """
    for name in explicit:
        if name not in declared and not allow_undeclared:
            raise UnknownInputError(name, tuple(declared))
    values = {
        name: explicit[name] if name in explicit else environ.get(input.env, input.default)
        for name, input in declared.items()
    }
    return {name: _unset_input(name) if value is None else value for name, value in values.items()}


def _unset_input(name: str) -> HiddenValue:
    return HiddenValue(UNKNOWN, secret=False, symbol=UnsetInputSymbol(name))
