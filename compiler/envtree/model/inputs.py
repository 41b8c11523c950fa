"""The declared inputs of a run: the only values that a compile takes from its surroundings."""

from collections.abc import Mapping

from envtree.model.resolved import UNKNOWN, Hidden, Unset
from envtree.model.workspace import Input


class UnknownInput(Exception):
    """An input was set that organization.yaml does not declare."""

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        super().__init__(name)
        self.name, self.known = name, known


def inputs(
    declared: Mapping[str, Input], given: Mapping[str, str], environ: Mapping[str, str], *, shared: bool
) -> dict[str, str | Hidden]:
    """The value of each: what was given, else the variable's, else the default; unknown without any.

    With `shared` one may be given that another tree declares, and this one does not.
    """
    for name in given:
        if name not in declared and not shared:
            raise UnknownInput(name, tuple(declared))
    found = {
        name: given[name] if name in given else environ.get(one.env, one.default) for name, one in declared.items()
    }
    return {name: _unset(name) if value is None else value for name, value in found.items()}


def _unset(name: str) -> Hidden:
    return Hidden(UNKNOWN, secret=False, symbol=Unset(name))
