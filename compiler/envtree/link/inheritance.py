"""The order of an environment and its ancestors: C3, as Python orders the bases of a class."""

from collections.abc import Callable, Mapping, Sequence

Parents = Mapping[str, Sequence[str]]


class Cycle(Exception):
    """Environments that inherit from each other; `chain` begins and ends with the same name."""

    def __init__(self, chain: tuple[str, ...]) -> None:
        super().__init__(" → ".join(chain))
        self.chain = chain


class Conflict(Exception):
    """Parents whose orders cannot both be kept."""


def linearize(name: str, parents: Parents) -> tuple[str, ...]:
    """The ancestors of `name` and itself, lowest first; raises Cycle or Conflict."""
    return tuple(reversed(_resolution_order(name, parents, ())))


def _resolution_order(name: str, parents: Parents, path: tuple[str, ...]) -> list[str]:
    if name in path:
        raise Cycle((*path[path.index(name) :], name))
    direct = [parent for parent in parents[name] if parent in parents]
    orders = [_resolution_order(parent, parents, (*path, name)) for parent in direct]
    return [name, *_merge([*orders, direct])]


def _merge(orders: list[list[str]]) -> list[str]:
    result: list[str] = []
    while orders := [order for order in orders if order]:
        head = next((order[0] for order in orders if not any(order[0] in other[1:] for other in orders)), None)
        if head is None:
            raise Conflict
        result.append(head)
        orders = [order[1:] if order[0] == head else order for order in orders]
    return result


def orders(parents: Parents, report: Callable[[str, Exception], None]) -> dict[str, tuple[str, ...]]:
    """The order of every environment; one that has none is reported and stands alone."""
    found: dict[str, tuple[str, ...]] = {}
    for name in parents:
        try:
            found[name] = linearize(name, parents)
        except (Cycle, Conflict) as wrong:
            report(name, wrong)
            found[name] = (name,)
    return found
