"""Many bundles in a few words."""

from collections import Counter
from collections.abc import Sequence

from envtree.report import plural

# As many ids as are named one by one.
_FEW = 3
# As many projects as are named one by one.
_MOST = 4


def gist(ids: Sequence[str]) -> str:
    """The ids if they are few, else how many there are in which environment, most first."""
    if len(ids) <= _FEW:
        return ", ".join(ids)
    counts = by_environment(ids)
    listed = ", ".join(f"{count} in {name}" for name, count in counts) if len(counts) > 1 else f"all in {counts[0][0]}"
    return f"{plural(len(ids), 'bundle')}: {listed}"


def by_environment(ids: Sequence[str]) -> list[tuple[str, int]]:
    """The number of bundles in each environment, most first."""
    counts = Counter(id.partition("@")[2] for id in ids)
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def agents(ids: Sequence[str]) -> int:
    """How many agents the bundles belong to."""
    return len({id.partition("@")[0] for id in ids})


def spread(ids: Sequence[str], every: Sequence[str]) -> list[tuple[str, str, str]]:
    """The bundles by environment: its name, how many of all that it has, and how many in which project."""
    totals = dict(by_environment(every))
    rows = []
    for name, count in by_environment(ids):
        projects = Counter(id.partition("/")[0] for id in ids if id.partition("@")[2] == name)
        ordered = sorted(projects.items(), key=lambda item: (-item[1], item[0]))
        listed = [f"{project} {number}" for project, number in ordered[:_MOST]]
        rest = [f"and {plural(len(ordered) - _MOST, 'more project')}"] if len(ordered) > _MOST else []
        rows.append((name, f"{count} of {totals[name]}", ", ".join([*listed, *rest])))
    return rows
