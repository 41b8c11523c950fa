"""Short descriptions of many bundles."""

from collections import Counter
from collections.abc import Iterable, Sequence

from envtree.diagnostics.summary import plural

# The most ids that are listed one by one.
_MAX_LISTED_BUNDLES = 3
# The most projects that are listed one by one.
_MAX_LISTED_PROJECTS = 4


def summarize_bundles(ids: Sequence[str], environments: Sequence[str] = ()) -> str:
    """Return the ids if they are few, or else the number of bundles in each environment."""
    if len(ids) <= _MAX_LISTED_BUNDLES:
        return ", ".join(ids)
    counts = count_by_environment(ids, environments)
    listed = ", ".join(f"{count} in {name}" for name, count in counts) if len(counts) > 1 else f"all in {counts[0][0]}"
    return f"{plural(len(ids), 'bundle')}: {listed}"


def count_by_environment(ids: Sequence[str], environments: Sequence[str] = ()) -> list[tuple[str, int]]:
    """Return the number of bundles in each environment, in the given order, or else most first."""
    ranks = {name: rank for rank, name in enumerate(environments)}
    counts = Counter(map(environment_of, ids))
    return sorted(counts.items(), key=lambda item: (ranks.get(item[0], len(ranks)), -item[1], item[0]))


def environments_by_agent(ids: Iterable[str], environments: Sequence[str]) -> dict[str, list[str]]:
    """Return the environments of each agent, in the given order."""
    ranks = {name: rank for rank, name in enumerate(environments)}
    by_agent: dict[str, list[str]] = {}
    for id in sorted(ids, key=lambda id: (id.partition("@")[0], ranks.get(environment_of(id), len(ranks)))):
        by_agent.setdefault(id.partition("@")[0], []).append(environment_of(id))
    return by_agent


def list_agents(ids: Iterable[str], environments: Sequence[str]) -> list[str]:
    """Return each agent with its environments, in the given order."""
    return [f"{agent} in {', '.join(names)}" for agent, names in environments_by_agent(ids, environments).items()]


def environment_of(id: str) -> str:
    """Return the environment of a bundle."""
    return id.partition("@")[2]


def count_agents(ids: Sequence[str]) -> int:
    """Return the number of agents that the bundles belong to."""
    return len({id.partition("@")[0] for id in ids})


def distribution_rows(ids: Sequence[str], all_ids: Sequence[str]) -> list[tuple[str, str, str]]:
    """Return a row for each environment: its name, its share of all bundles, and the numbers by project."""
    totals = dict(count_by_environment(all_ids))
    rows = []
    for name, count in count_by_environment(ids):
        projects = Counter(id.partition("/")[0] for id in ids if id.partition("@")[2] == name)
        ordered = sorted(projects.items(), key=lambda item: (-item[1], item[0]))
        listed = [f"{project} {number}" for project, number in ordered[:_MAX_LISTED_PROJECTS]]
        if len(ordered) > _MAX_LISTED_PROJECTS:
            rest = f"and {plural(len(ordered) - _MAX_LISTED_PROJECTS, 'more project')}"
            listed = [f"all {len(ordered)} projects"] if count == totals[name] else [*listed, rest]
        rows.append((name, f"{count} of {totals[name]}", ", ".join(listed)))
    return rows
