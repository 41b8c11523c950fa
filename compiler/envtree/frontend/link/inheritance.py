"""The order of an environment and its ancestors: C3, as Python orders the bases of a class."""

from collections.abc import Callable, Iterator, Mapping, Sequence


def find_cycles(parents: Mapping[str, Sequence[str]]) -> list[tuple[str, ...]]:
    """The circles that a walk closes: once all are broken, none is left. Each begins and ends with its first name."""
    found: dict[tuple[str, ...], None] = {}
    done: set[str] = set()
    for root in sorted(parents):
        chain = [root] if root not in done else []
        ways = [_iter_parents(root, parents)] if chain else []
        while chain:
            parent = next(ways[-1], None)
            if parent is None:
                done.add(chain.pop())
                ways.pop()
            elif parent in chain:
                found[_rotate_to_first(chain[chain.index(parent) :])] = None
            elif parent not in done:
                chain.append(parent)
                ways.append(_iter_parents(parent, parents))
    return list(found)


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
    """Parents of `name` whose orders cannot both be kept: `chains` are two of them, lowest last."""

    def __init__(self, name: str, chains: tuple[list[str], list[str]]) -> None:
        super().__init__(" against ".join(" → ".join(chain) for chain in chains))
        self.name, self.chains = name, chains


def linearize(name: str, parents: Parents) -> tuple[str, ...]:
    """The ancestors of `name` and itself, lowest first; raises Cycle or Conflict."""
    return tuple(reversed(_resolution_order(name, parents, (), {})))


def _resolution_order(name: str, parents: Parents, path: tuple[str, ...], resolved: dict[str, list[str]]) -> list[str]:
    if name in resolved:
        return resolved[name]
    if name in path:
        raise InheritanceCycleError((*path[path.index(name) :], name))
    direct = [parent for parent in parents[name] if parent in parents]
    orders = [_resolution_order(parent, parents, (*path, name), resolved) for parent in direct]
    resolved[name] = [name, *_merge(name, [*orders, direct])]
    return resolved[name]


def _merge(name: str, chains: list[list[str]]) -> list[str]:
    result: list[str] = []
    orders = chains
    while orders := [order for order in orders if order]:
        head = next((order[0] for order in orders if not any(order[0] in other[1:] for other in orders)), None)
        if head is None:
            raise InheritanceConflictError(name, _conflicting_chains(orders[0][0], chains))
        result.append(head)
        orders = [order[1:] if order[0] == head else order for order in orders]
    return result


def _conflicting_chains(head: str, chains: list[list[str]]) -> tuple[list[str], list[str]]:
    """Two chains that order the same two names in two ways; `head` is one that cannot come next."""
    for chain in chains:
        before = chain[: chain.index(head)] if head in chain else []
        for other in chains:
            if head in other and any(name in other[other.index(head) :] for name in before):
                return chain, other
    return chains[0], chains[-1]


def linearize_all(
    parents: Parents, report: Callable[[str, InheritanceCycleError | InheritanceConflictError], None]
) -> dict[str, tuple[str, ...]]:
    """The order of every environment; one that has none is reported and stands alone."""
    found: dict[str, tuple[str, ...]] = {}
    for name in parents:
        try:
            found[name] = linearize(name, parents)
        except (InheritanceCycleError, InheritanceConflictError) as wrong:
            report(name, wrong)
            found[name] = (name,)
    return found
