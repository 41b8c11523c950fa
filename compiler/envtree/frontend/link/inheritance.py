"""Linearize an environment and its ancestors by C3, as Python orders the bases of a class."""

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence

Parents = Mapping[str, Sequence[str]]

# Real trees have a handful. The limit keeps the time for all environments proportional to their number.
MAX_ANCESTORS = 100


class InheritanceError(Exception):
    """An environment without a valid order of its ancestors."""


class InheritanceCycleError(InheritanceError):
    """Environments that inherit from each other; `chain` begins and ends with the same name."""

    def __init__(self, chain: tuple[str, ...]) -> None:
        super().__init__(" → ".join(chain))
        self.chain = chain


class InheritanceConflictError(InheritanceError):
    """The parents of `name` have orders that conflict; `chains` are two of these orders, lowest last."""

    def __init__(self, name: str, chains: tuple[list[str], list[str]]) -> None:
        super().__init__(" against ".join(" → ".join(chain) for chain in chains))
        self.name, self.chains = name, chains


class TooManyAncestorsError(InheritanceError):
    """The environment `name` has more ancestors than the limit."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def find_cycles(parents: Parents) -> list[tuple[str, ...]]:
    """Return the cycles that a depth-first walk closes; once they are all broken, none is left.

    Each begins and ends with its alphabetically first name.
    """
    cycles: dict[tuple[str, ...], None] = {}
    visited: set[str] = set()
    for root in sorted(parents):
        # The names on the way from the root, in order, each with the parents that are still to be visited.
        path = {root: _iter_parents(root, parents)} if root not in visited else {}
        while path:
            name, remaining = next(reversed(path.items()))
            parent = next(remaining, None)
            if parent is None:
                visited.add(name)
                del path[name]
            elif parent in path:
                chain = list(path)
                cycles[_rotate_to_first(chain[chain.index(parent) :])] = None
            elif parent not in visited:
                path[parent] = _iter_parents(parent, parents)
    return list(cycles)


def _iter_parents(name: str, parents: Parents) -> Iterator[str]:
    return (parent for parent in parents[name] if parent in parents)


def _rotate_to_first(chain: list[str]) -> tuple[str, ...]:
    start = chain.index(min(chain))
    return (*chain[start:], *chain[:start], chain[start])


def linearize(name: str, parents: Parents) -> tuple[str, ...]:
    """Return the ancestors of `name` and itself, lowest first; raise an `InheritanceError` if there is no order."""
    return _Linearizer(parents).order(name)


def linearize_all(parents: Parents, report: Callable[[str, InheritanceError], None]) -> dict[str, tuple[str, ...]]:
    """Return the order of every environment; report one without a valid order, and use the environment alone."""
    linearizer = _Linearizer(parents)
    lineages: dict[str, tuple[str, ...]] = {}
    for name in parents:
        try:
            lineages[name] = linearizer.order(name)
        except InheritanceError as error:
            report(name, error)
            lineages[name] = (name,)
    return lineages


class _Linearizer:
    """The orders of environments, each computed once from those of its parents."""

    def __init__(self, parents: Parents) -> None:
        self._parents = parents
        # Highest first, the environment itself before its ancestors.
        self._orders: dict[str, list[str] | InheritanceError] = {}

    def order(self, name: str) -> tuple[str, ...]:
        """Return the ancestors of an environment and itself, lowest first; raise its `InheritanceError`."""
        self._resolve(name)
        order = self._orders[name]
        if isinstance(order, list):
            return tuple(reversed(order))
        raise order

    def _resolve(self, root: str) -> None:
        """Compute the order of an environment, after those of its ancestors, without recursion."""
        path = {root: None} if root not in self._orders else {}
        while path:
            name = next(reversed(path))
            parents = list(_iter_parents(name, self._parents))
            unresolved = next((parent for parent in parents if parent not in self._orders), None)
            if len(parents) > MAX_ANCESTORS:
                self._orders[name] = TooManyAncestorsError(name)
            elif unresolved is None:
                self._orders[name] = self._combine(name, parents)
            elif unresolved in path:
                chain = list(path)
                self._orders[name] = InheritanceCycleError((*chain[chain.index(unresolved) :], unresolved))
            else:
                path[unresolved] = None
                continue
            del path[name]

    def _combine(self, name: str, parents: list[str]) -> list[str] | InheritanceError:
        chains: list[list[str]] = []
        for parent in parents:
            order = self._orders[parent]
            if not isinstance(order, list):
                return order
            chains.append(order)
        try:
            ancestors = _merge(name, [*chains, parents])
        except InheritanceConflictError as conflict:
            return conflict
        return [name, *ancestors] if len(ancestors) <= MAX_ANCESTORS else TooManyAncestorsError(name)


def _merge(name: str, chains: list[list[str]]) -> list[str]:
    """Merge orders to one that keeps each of them, in time proportional to their length."""
    result: list[str] = []
    queues = [deque(chain) for chain in chains if chain]
    # A name can come next if it is in the tail of no chain.
    tail_counts = Counter(ancestor for chain in chains for ancestor in chain[1:])
    while queues:
        head = next((queue[0] for queue in queues if not tail_counts[queue[0]]), None)
        if head is None:
            raise InheritanceConflictError(name, _conflicting_chains(queues[0][0], chains))
        result.append(head)
        for queue in queues:
            if queue[0] == head:
                queue.popleft()
                if queue:
                    tail_counts[queue[0]] -= 1
        queues = [queue for queue in queues if queue]
    return result


def _conflicting_chains(head: str, chains: list[list[str]]) -> tuple[list[str], list[str]]:
    """Return two chains that order two names differently; `head` is a name that cannot come next."""
    for chain in chains:
        before = chain[: chain.index(head)] if head in chain else []
        for candidate in chains:
            if head in candidate and any(name in candidate[candidate.index(head) :] for name in before):
                return chain, candidate
    return chains[0], chains[-1]
