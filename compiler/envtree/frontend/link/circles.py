"""Environments that inherit from each other: each circle once, however many share an environment."""

from collections.abc import Iterator, Mapping, Sequence


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
