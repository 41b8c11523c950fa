"""What differs in kind between the bundles of two environments: keys that one lacks, and values of another type."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from envtree.engine.run import Result, Run
from envtree.model.entities import contracts
from envtree.model.keypath import KeyPath, format_path
from envtree.model.layers import Target
from envtree.model.resolved import Hidden
from envtree.model.span import Span
from envtree.model.workspace import Workspace
from envtree.output.bundle_cells import PARTS
from envtree.queries.fleet.origins import origins

# What a secret is injected as is told among the variables.
_COMPARED = tuple(name for name in PARTS if name not in ("organization", "secrets"))
_NAMES = {bool: "boolean", int: "number", float: "number", str: "string", list: "array", dict: "object"}
_UNKNOWN = "unknown"


class Missing(NamedTuple):
    """A key that agents have in one environment only; `bundles` are those without it, `places` where it is set.

    It is `expected` if a contract declares the variable for the one environment, and not for the other.
    """

    key: str
    present: str
    absent: str
    expected: bool
    bundles: tuple[str, ...]
    places: tuple[Span, ...]


class Types(NamedTuple):
    """A key whose values differ in type, `secret` being one; `bundles` are those of both environments."""

    key: str
    types: dict[str, str]
    bundles: tuple[str, ...]
    places: tuple[Span, ...]


class Lone(NamedTuple):
    """An agent that is compiled for one of the environments only."""

    agent: str
    present: str
    absent: str


class Parity(NamedTuple):
    """All that differs; `agents` counts those that were compared."""

    environments: tuple[str, str]
    missing: tuple[Missing, ...]
    types: tuple[Types, ...]
    lone: tuple[Lone, ...]
    agents: int

    @property
    def differs(self) -> bool:
        """Whether there is any difference that nobody declared."""
        return bool(self.types or self.lone or any(not one.expected for one in self.missing))


def parity(run: Run, one: str, other: str, selects: Callable[[str], bool]) -> Parity:
    """Compare two environments over the selected agents; the run is finished afterwards."""
    workspace = run.workspace
    assert workspace
    ids = [id for id in run.ids if id.partition("@")[2] in (one, other)]
    chosen = {agent for agent, _, _ in (id.partition("@") for id in filter(selects, ids))}
    here, there = ({id.partition("@")[0] for id in ids if id.endswith(f"@{name}")} & chosen for name in (one, other))
    found = _Found(workspace)
    for pair in _pairs(run, here & there):
        found.add(*pair)
    lone = [Lone(agent, one, other) for agent in here - there] + [Lone(agent, other, one) for agent in there - here]
    return Parity((one, other), found.missing(), found.types(), tuple(sorted(lone)), len(here & there))


def _pairs(run: Run, agents: set[str]) -> Iterator[tuple[Result, Result]]:
    """The two bundles of each agent, in any order."""
    waiting: dict[str, Result] = {}
    for result in run.results():
        agent = result.bundle.target.folder_in_environment
        if agent not in agents:
            continue
        twin = waiting.pop(agent, None)
        if twin is None:
            waiting[agent] = result
        else:
            yield twin, result


class _Shape(NamedTuple):
    """The types of all that a bundle holds, maps included, and the keys that nothing is inside of."""

    types: dict[KeyPath, str]
    leaves: set[KeyPath]


class _Group(NamedTuple):
    bundles: list[str]
    places: dict[Span, None]


class _Found:
    """The differences so far, those that are alike in one group."""

    def __init__(self, workspace: Workspace) -> None:
        self._contracts = contracts(workspace)
        self._missing: dict[tuple[KeyPath, str, str, bool], _Group] = {}
        self._types: dict[tuple[KeyPath, tuple[tuple[str, str], ...]], _Group] = {}

    def add(self, one: Result, other: Result) -> None:
        """Compare the two bundles of an agent."""
        here, there = _shape(one), _shape(other)
        for path in here.leaves - there.types.keys():
            self._miss(path, one, other, there)
        for path in there.leaves - here.types.keys():
            self._miss(path, other, one, here)
        for path in here.types.keys() & there.types.keys():
            mine, theirs = here.types[path], there.types[path]
            if mine != theirs and _UNKNOWN not in (mine, theirs):
                self._differ(path, (one, mine), (other, theirs))

    def _miss(self, path: KeyPath, present: Result, absent: Result, shape: _Shape) -> None:
        around = next(path[:n] for n in range(len(path) - 1, -1, -1) if path[:n] in shape.types or n == 0)
        if shape.types.get(around, "object") != "object":
            return  # told as a difference in type, unless nobody knows what is in there
        names = (present.bundle.target.environment, absent.bundle.target.environment)
        expected = self._declares(path, present.bundle.target, names)
        group = self._missing.setdefault((path, *names, expected), _Group([], {}))
        group.bundles.append(absent.bundle.target.id)
        group.places.update(_places(present, path))

    def _declares(self, path: KeyPath, target: Target, names: tuple[str, str]) -> bool:
        """Whether a contract says that only the first of two environments has a variable."""
        declared = self._contracts[target.project, target.team]
        contract = declared.get(path[1]) if path[0] == "env_vars" else None
        environments = contract.rules.get("environments") if contract else None
        return environments is not None and [name in environments for name in names] == [True, False]

    def _differ(self, path: KeyPath, *sides: tuple[Result, str]) -> None:
        types = tuple(sorted((result.bundle.target.environment, kind) for result, kind in sides))
        group = self._types.setdefault((path, types), _Group([], {}))
        for result, _ in sides:
            group.bundles.append(result.bundle.target.id)
            group.places.update(_places(result, path))

    def missing(self) -> tuple[Missing, ...]:
        """The keys that one environment lacks, those that most agents lack first."""
        found = [
            Missing(format_path(path), present, absent, expected, *_sorted(group))
            for (path, present, absent, expected), group in self._missing.items()
        ]
        return tuple(sorted(found, key=lambda one: (one.expected, one.present, -len(one.bundles), one.key)))

    def types(self) -> tuple[Types, ...]:
        """The keys whose types differ, those of most agents first."""
        found = [Types(format_path(path), dict(types), *_sorted(group)) for (path, types), group in self._types.items()]
        return tuple(sorted(found, key=lambda one: (-len(one.bundles), one.key, sorted(one.types.items()))))


def _sorted(group: _Group) -> tuple[tuple[str, ...], tuple[Span, ...]]:
    return tuple(sorted(group.bundles)), tuple(sorted(group.places))


def _places(result: Result, path: KeyPath) -> dict[Span, None]:
    """Where a key is set; the secrets in its value have places of their own."""
    return dict.fromkeys(origins(result, path, None))


def _shape(result: Result) -> _Shape:
    shape = _Shape({}, set())
    for name in _COMPARED:
        value = result.bundle.data[name]
        if isinstance(value, dict):
            for key, inner in value.items():
                _note(inner, (name, key), shape)
        elif value not in (None, []):
            _note(value, (name,), shape)
    return shape


def _note(value: Any, path: KeyPath, shape: _Shape) -> None:
    shape.types[path] = _type(value, path)
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            _note(inner, (*path, key), shape)
    else:
        shape.leaves.add(path)


def _type(value: Any, path: KeyPath) -> str:
    if isinstance(value, Hidden):
        return "secret" if value.secret else "string" if path[0] == "env_vars" else _UNKNOWN
    return _NAMES.get(type(value), "null")
