"""The declared inputs of a run: the only values that a compile takes from its surroundings."""

from collections.abc import Mapping

from envtree.model.resolved import UNKNOWN, HiddenValue, UnsetInputSymbol
from envtree.model.workspace import Input


class UnknownInputError(Exception):
    """An input was set that organization.yaml does not declare."""

    def __init__(self, name: str, declared_names: tuple[str, ...]) -> None:
        super().__init__(name)
        self.name, self.declared_names = name, declared_names


def collect_inputs(
    declared: Mapping[str, Input], given: Mapping[str, str], environ: Mapping[str, str], *, allow_undeclared: bool
) -> dict[str, str | HiddenValue]:
    """The value of each: what was given, else the variable's, else the default; unknown without any.

    With `shared` one may be given that another tree declares, and this one does not.
    """
    for name in given:
        if name not in declared and not allow_undeclared:
            raise UnknownInputError(name, tuple(declared))
    found = {
        name: given[name] if name in given else environ.get(one.env, one.default) for name, one in declared.items()
    }
    return {name: _unset_input(name) if value is None else value for name, value in found.items()}


def _unset_input(name: str) -> HiddenValue:
    return HiddenValue(UNKNOWN, secret=False, symbol=UnsetInputSymbol(name))
