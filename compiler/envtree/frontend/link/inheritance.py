"""Linearize an environment and its ancestors by C3, as Python orders the bases of a class."""

from collections.abc import Callable, Iterator, Mapping, Sequence


def find_cycles(parents: Mapping[str, Sequence[str]]) -> list[tuple[str, ...]]:
    """Return the cycles that a depth-first walk closes; once they are all broken, none is left.

    Each begins and ends with its alphabetically first name.
    """
    cycles: dict[tuple[str, ...], None] = {}
    visited: set[str] = set()
    for root in sorted(parents):
        chain = [root] if root not in visited else []
        iterators = [_iter_parents(root, parents)] if chain else []
        while chain:
            parent = next(iterators[-1], None)
            if parent is None:
                visited.add(chain.pop())
                iterators.pop()
            elif parent in chain:
                cycles[_rotate_to_first(chain[chain.index(parent) :])] = None
            elif parent not in visited:
                chain.append(parent)
                iterators.append(_iter_parents(parent, parents))
    return list(cycles)


def _iter_parents(name: str, parents: Mapping[str, Sequence[str]]) -> Iterator[str]:
    return (parent for parent in parents[name] if parent in parents)


def _rotate_to_first(chain: list[str]) -> tuple[str, ...]:
    start = chain.index(min(chain))
    return (*chain[start:], *chain[:start], chain[start])


Parents = Mapping[str, Sequence[str]]


class InheritanceCycleError(Exception):
    """Environments that inherit from each other; `chain` begins and ends with the same name."""

    def __init__(self, chain: tuple[str, ...]) -> None:
        super().__init__(" → ".join(chain))
        self.chain = chain


class InheritanceConflictError(Exception):
    """The parents of `name` have orders that conflict; `chains` are two of these orders, lowest last."""

    def __init__(self, name: str, chains: tuple[list[str], list[str]]) -> None:
        super().__init__(" against ".join(" → ".join(chain) for chain in chains))
        self.name, self.chains = name, chains


def linearize(name: str, parents: Parents) -> tuple[str, ...]:
    """Return the ancestors of `name` and itself, lowest first.

    Raises InheritanceCycleError or InheritanceConflictError.
    """
    return tuple(reversed(_resolution_order(name, parents, (), {})))


def _resolution_order(name: str, parents: Parents, path: tuple[str, ...], resolved: dict[str, list[str]]) -> list[str]:
    if name in resolved:
        return resolved[name]
    if name in path:
        raise InheritanceCycleError((*path[path.index(name) :], name))
    direct_parents = [parent for parent in parents[name] if parent in parents]
    orders = [_resolution_order(parent, parents, (*path, name), resolved) for parent in direct_parents]
    resolved[name] = [name, *_merge(name, [*orders, direct_parents])]
    return resolved[name]


def _merge(name: str, chains: list[list[str]]) -> list[str]:
    result: list[str] = []
    orders = chains
    while orders := [order for order in orders if order]:
        head = next((order[0] for order in orders if not any(order[0] in candidate[1:] for candidate in orders)), None)
        if head is None:
            raise InheritanceConflictError(name, _conflicting_chains(orders[0][0], chains))
        result.append(head)
        orders = [order[1:] if order[0] == head else order for order in orders]
    return result


def _conflicting_chains(head: str, chains: list[list[str]]) -> tuple[list[str], list[str]]:
    """Return two chains that order two names differently; `head` is a name that cannot come next."""
    for chain in chains:
        before = chain[: chain.index(head)] if head in chain else []
        for candidate in chains:
            if head in candidate and any(name in candidate[candidate.index(head) :] for name in before):
                return chain, candidate
    return chains[0], chains[-1]


def linearize_all(
    parents: Parents, report: Callable[[str, InheritanceCycleError | InheritanceConflictError], None]
) -> dict[str, tuple[str, ...]]:
    """Return the order of every environment; report one without a valid order, and use the environment alone."""
    lineages: dict[str, tuple[str, ...]] = {}
    for name in parents:
        try:
            lineages[name] = linearize(name, parents)
        except (InheritanceCycleError, InheritanceConflictError) as error:
            report(name, error)
            lineages[name] = (name,)
    return lineages
