"""Bundle ids for completion, from the names of files alone: nothing is read, so a few ids may have no bundle."""

from collections.abc import Iterator
from pathlib import Path

from envtree.layout import DEFAULT_PROJECT, ROOT_FILE, is_name

_ENVIRONMENTS = "environments/*.yaml"
_AGENTS = ("agents/*.yaml", "teams/*/agents/*.yaml")


def ids(directory: Path) -> list[str]:
    """The ids of the tree that a folder lies in, sorted; none where anything is wrong."""
    try:
        start = directory.resolve()
        root = next((at for at in (start, *start.parents) if (at / ROOT_FILE).is_file()), None)
        return sorted(set(_ids(root))) if root else []
    except OSError:
        return []


def _ids(root: Path) -> Iterator[str]:
    shared = _names(root, _ENVIRONMENTS)
    homes = {DEFAULT_PROJECT: root} | {home.name: home for home in root.glob("projects/*")}
    for project, home in homes.items():
        for environment in shared | _names(home, _ENVIRONMENTS):
            for pattern in _AGENTS:
                for agent in home.glob(pattern):
                    team = agent.parent.parent.relative_to(home).name
                    if is_name(agent.stem):
                        yield "/".join(filter(None, (project, team, agent.stem))) + f"@{environment}"


def _names(folder: Path, pattern: str) -> set[str]:
    return {path.stem for path in folder.glob(pattern) if is_name(path.stem)}
