"""What differs in kind between the bundles of two environments: keys that one lacks, and values of another type."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from envtree.engine.request import BundleResult
from envtree.engine.run import Run
from envtree.model.bundle_entities import contracts_by_team
from envtree.model.keypath import KeyPath, format_path
from envtree.model.layers import Target
from envtree.model.resolved import HiddenValue
from envtree.model.span import Span
from envtree.model.workspace import Workspace
from envtree.output.bundle_cells import CELL_SECTIONS
from envtree.queries.fleet.origins import find_origins

# What a secret is injected as is told among the variables.
_COMPARED_PARTS = tuple(name for name in CELL_SECTIONS if name not in ("organization", "secrets"))
_TYPE_NAMES = {bool: "boolean", int: "number", float: "number", str: "string", list: "array", dict: "object"}
_UNKNOWN = "unknown"


class MissingKey(NamedTuple):
    """A key that agents have in one environment only; `bundles` are those without it, `places` where it is set.

    It is `expected` if a contract declares the variable for the one environment, and not for the other.
    """

    key: str
    present_in: str
    absent_from: str
    is_expected: bool
    bundles: tuple[str, ...]
    spans: tuple[Span, ...]


class TypeMismatch(NamedTuple):
    """A key whose values differ in type, `secret` being one; `bundles` are those of both environments."""

    key: str
    types: dict[str, str]
    bundles: tuple[str, ...]
    spans: tuple[Span, ...]


class UnpairedAgent(NamedTuple):
    """An agent that is compiled for one of the environments only."""

    agent: str
    present_in: str
    absent_from: str


class Parity(NamedTuple):
    """All that differs; `agents` counts those that were compared."""

    environments: tuple[str, str]
    missing_keys: tuple[MissingKey, ...]
    type_mismatches: tuple[TypeMismatch, ...]
    unpaired_agents: tuple[UnpairedAgent, ...]
    agent_count: int

    @property
    def has_differences(self) -> bool:
        """Whether there is any difference that nobody declared."""
        return bool(
            self.type_mismatches or self.unpaired_agents or any(not one.is_expected for one in self.missing_keys)
        )


def parity(run: Run, first: str, second: str, selects: Callable[[str], bool]) -> Parity:
    """Compare two environments over the selected agents; the run is finished afterwards."""
    workspace = run.workspace
    assert workspace
    ids = [id for id in run.ids if id.partition("@")[2] in (first, second)]
    chosen = {agent for agent, _, _ in (id.partition("@") for id in filter(selects, ids))}
    here, there = ({id.partition("@")[0] for id in ids if id.endswith(f"@{name}")} & chosen for name in (first, second))
    found = _ParityBuilder(workspace)
    for pair in _pair_results(run, here & there):
        found.add(*pair)
    lone = [UnpairedAgent(agent, first, second) for agent in here - there] + [
        UnpairedAgent(agent, second, first) for agent in there - here
    ]
    return Parity(
        (first, second), found.missing_keys(), found.type_mismatches(), tuple(sorted(lone)), len(here & there)
    )


def _pair_results(run: Run, agents: set[str]) -> Iterator[tuple[BundleResult, BundleResult]]:
    """The two bundles of each agent, in any order."""
    waiting: dict[str, BundleResult] = {}
    for result in run.results():
        agent = result.bundle.target.agent_path
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


class _DifferenceGroup(NamedTuple):
    bundles: list[str]
    spans: dict[Span, None]


class _ParityBuilder:
    """The differences so far, those that are alike in one group."""

    def __init__(self, workspace: Workspace) -> None:
        self._contracts = contracts_by_team(workspace)
        self._missing_groups: dict[tuple[KeyPath, str, str, bool], _DifferenceGroup] = {}
        self._type_groups: dict[tuple[KeyPath, tuple[tuple[str, str], ...]], _DifferenceGroup] = {}

    def add(self, first: BundleResult, second: BundleResult) -> None:
        """Compare the two bundles of an agent."""
        here, there = _shape_of(first), _shape_of(second)
        for path in here.leaves - there.types.keys():
            self._add_missing_key(path, first, second, there)
        for path in there.leaves - here.types.keys():
            self._add_missing_key(path, second, first, here)
        for path in here.types.keys() & there.types.keys():
            mine, theirs = here.types[path], there.types[path]
            if mine != theirs and _UNKNOWN not in (mine, theirs):
                self._add_type_mismatch(path, (first, mine), (second, theirs))

    def _add_missing_key(self, path: KeyPath, present: BundleResult, absent: BundleResult, shape: _Shape) -> None:
        around = next(path[:n] for n in range(len(path) - 1, -1, -1) if path[:n] in shape.types or n == 0)
        if shape.types.get(around, "object") != "object":
            return  # told as a difference in type, unless nobody knows what is in there
        names = (present.bundle.target.environment, absent.bundle.target.environment)
        expected = self._is_declared_only_for_first(path, present.bundle.target, names)
        group = self._missing_groups.setdefault((path, *names, expected), _DifferenceGroup([], {}))
        group.bundles.append(absent.bundle.target.id)
        group.spans.update(_origin_spans(present, path))

    def _is_declared_only_for_first(self, path: KeyPath, target: Target, names: tuple[str, str]) -> bool:
        """Whether a contract says that only the first of two environments has a variable."""
        declared = self._contracts[target.project, target.team]
        contract = declared.get(path[1]) if path[0] == "env_vars" else None
        environments = contract.rules.get("environments") if contract else None
        return environments is not None and [name in environments for name in names] == [True, False]

    def _add_type_mismatch(self, path: KeyPath, *sides: tuple[BundleResult, str]) -> None:
        types = tuple(sorted((result.bundle.target.environment, kind) for result, kind in sides))
        group = self._type_groups.setdefault((path, types), _DifferenceGroup([], {}))
        for result, _ in sides:
            group.bundles.append(result.bundle.target.id)
            group.spans.update(_origin_spans(result, path))

    def missing_keys(self) -> tuple[MissingKey, ...]:
        """The keys that one environment lacks, those that most agents lack first."""
        found = [
            MissingKey(format_path(path), present, absent, expected, *_sorted_members(group))
            for (path, present, absent, expected), group in self._missing_groups.items()
        ]
        return tuple(sorted(found, key=lambda one: (one.is_expected, one.present_in, -len(one.bundles), one.key)))

    def type_mismatches(self) -> tuple[TypeMismatch, ...]:
        """The keys whose types differ, those of most agents first."""
        found = [
            TypeMismatch(format_path(path), dict(types), *_sorted_members(group))
            for (path, types), group in self._type_groups.items()
        ]
        return tuple(sorted(found, key=lambda one: (-len(one.bundles), one.key, sorted(one.types.items()))))


def _sorted_members(group: _DifferenceGroup) -> tuple[tuple[str, ...], tuple[Span, ...]]:
    return tuple(sorted(group.bundles)), tuple(sorted(group.spans))


def _origin_spans(result: BundleResult, path: KeyPath) -> dict[Span, None]:
    """Where a key is set; the secrets in its value have places of their own."""
    return dict.fromkeys(find_origins(result, path, None))


def _shape_of(result: BundleResult) -> _Shape:
    shape = _Shape({}, set())
    for name in _COMPARED_PARTS:
        value = result.bundle.data[name]
        if isinstance(value, dict):
            for key, inner in value.items():
                _record_types(inner, (name, key), shape)
        elif value not in (None, []):
            _record_types(value, (name,), shape)
    return shape


def _record_types(value: Any, path: KeyPath, shape: _Shape) -> None:
    shape.types[path] = _type_name(value, path)
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            _record_types(inner, (*path, key), shape)
    else:
        shape.leaves.add(path)


def _type_name(value: Any, path: KeyPath) -> str:
    if isinstance(value, HiddenValue):
        return "secret" if value.secret else "string" if path[0] == "env_vars" else _UNKNOWN
    return _TYPE_NAMES.get(type(value), "null")
