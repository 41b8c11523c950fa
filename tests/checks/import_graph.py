"""Who imports whom: the modules of envtree and of its tests, read from their source."""

import ast
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

from tests.checks.environment import ROOT

SOURCE = ROOT / "compiler"


@cache
def parse_modules() -> dict[str, ast.Module]:
    """Return every module of envtree by its dotted name; that of a package is its `__init__`."""
    return {_name(path, SOURCE): ast.parse(path.read_bytes()) for path in sorted((SOURCE / "envtree").rglob("*.py"))}


@cache
def parse_tests() -> dict[str, ast.Module]:
    """Return every module of the tests by its dotted name."""
    files = (path for path in sorted((ROOT / "tests").rglob("*.py")) if "cases" not in path.parts[:-2])
    return {_name(path, ROOT): ast.parse(path.read_bytes()) for path in files}


def imported(tree: ast.Module, known: Mapping[str, object]) -> Iterator[str]:
    """Yield the known modules that a module imports anywhere, for types only included."""
    for node in ast.walk(tree):
        targets: list[str] = []
        if isinstance(node, ast.ImportFrom):
            members = [f"{node.module}.{alias.name}" for alias in node.names]
            targets = [member if member in known else str(node.module) for member in members]
        elif isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        yield from (target for target in targets if target in known)


@cache
def importers() -> dict[str, set[str]]:
    """Return the importers of each module, of envtree and of the tests."""
    known = {**parse_modules(), **parse_tests()}
    found: dict[str, set[str]] = {name: set() for name in known}
    for name, tree in known.items():
        for target in imported(tree, known):
            found[target].add(name)
    return found


def distances(names: Iterable[str]) -> dict[str, int]:
    """Return how many imports lie between each module and the nearest of some modules that it depends on."""
    found = dict.fromkeys(names, 0)
    waiting = deque(found)
    while waiting:
        name = waiting.popleft()
        for importer in importers().get(name, ()):
            if importer not in found:
                found[importer] = found[name] + 1
                waiting.append(importer)
    return found


def module_name(path: str) -> str:
    """Return the dotted name of a file of the checkout; empty if it is no module."""
    file = ROOT / path
    if file.suffix != ".py":
        return ""
    return _name(file, SOURCE if SOURCE in file.parents else ROOT)


def _name(path: Path, root: Path) -> str:
    return ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
