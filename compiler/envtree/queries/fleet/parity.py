"""Compare the bundles of two environments by keys and types, not by values."""

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

# Injected secrets are compared as variables.
_COMPARED_PARTS = tuple(name for name in CELL_SECTIONS if name not in ("organization", "secrets"))
_TYPE_NAMES = {bool: "boolean", int: "number", float: "number", str: "string", list: "array", dict: "object"}
_UNKNOWN = "unknown"


class MissingKey(NamedTuple):
    """A key that agents have in one environment only.

    `bundles` are those without it, `spans` the places that set it. It `is_expected` if a contract declares the variable
    for the one environment, and not for the other.
    """

    key: str
    present_in: str
    absent_from: str
    is_expected: bool
    bundles: tuple[str, ...]
    spans: tuple[Span, ...]


class TypeMismatch(NamedTuple):
    """A key whose values differ in type, one of which may be `secret`; `bundles` are those of both environments."""

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
    """All differences, and the number of agents that were compared."""

    environments: tuple[str, str]
    missing_keys: tuple[MissingKey, ...]
    type_mismatches: tuple[TypeMismatch, ...]
    unpaired_agents: tuple[UnpairedAgent, ...]
    agent_count: int

    @property
    def has_differences(self) -> bool:
        """Whether there is any difference that no contract declares."""
        return bool(
            self.type_mismatches
            or self.unpaired_agents
            or any(not missing.is_expected for missing in self.missing_keys)
        )


def parity(run: Run, first: str, second: str, selects: Callable[[str], bool]) -> Parity:
    """Compare two environments over the selected agents, and finish the run."""
    workspace = run.workspace
    assert workspace
    ids = [id for id in run.ids if id.partition("@")[2] in (first, second)]
    selected_agents = {agent for agent, _, _ in (id.partition("@") for id in filter(selects, ids))}
    first_agents, second_agents = (
        {id.partition("@")[0] for id in ids if id.endswith(f"@{name}")} & selected_agents for name in (first, second)
    )
    builder = _ParityBuilder(workspace)
    for pair in _pair_results(run, first_agents & second_agents):
        builder.add(*pair)
    unpaired = [UnpairedAgent(agent, first, second) for agent in first_agents - second_agents] + [
        UnpairedAgent(agent, second, first) for agent in second_agents - first_agents
    ]
    return Parity(
        environments=(first, second),
        missing_keys=builder.missing_keys(),
        type_mismatches=builder.type_mismatches(),
        unpaired_agents=tuple(sorted(unpaired)),
        agent_count=len(first_agents & second_agents),
    )


def _pair_results(run: Run, agents: set[str]) -> Iterator[tuple[BundleResult, BundleResult]]:
    """Yield the two bundles of each agent, in any order."""
    waiting: dict[str, BundleResult] = {}
    for result in run.results():
        agent = result.bundle.target.agent_path
        if agent not in agents:
            continue
        counterpart = waiting.pop(agent, None)
        if counterpart is None:
            waiting[agent] = result
        else:
            yield counterpart, result


class _Shape(NamedTuple):
    """The types of all values of a bundle, maps included, and the keys without nested keys."""

    types: dict[KeyPath, str]
    leaves: set[KeyPath]


class _DifferenceGroup(NamedTuple):
    bundles: list[str]
    spans: dict[Span, None]


class _ParityBuilder:
    """Collects the differences, and groups equal ones."""

    def __init__(self, workspace: Workspace) -> None:
        self._contracts = contracts_by_team(workspace)
        self._missing_groups: dict[tuple[KeyPath, str, str, bool], _DifferenceGroup] = {}
        self._type_groups: dict[tuple[KeyPath, tuple[tuple[str, str], ...]], _DifferenceGroup] = {}

    def add(self, first: BundleResult, second: BundleResult) -> None:
        """Compare the two bundles of an agent."""
        first_shape, second_shape = _shape_of(first), _shape_of(second)
        for path in first_shape.leaves - second_shape.types.keys():
            self._add_missing_key(path, first, second, second_shape)
        for path in second_shape.leaves - first_shape.types.keys():
            self._add_missing_key(path, second, first, first_shape)
        for path in first_shape.types.keys() & second_shape.types.keys():
            first_type, second_type = first_shape.types[path], second_shape.types[path]
            if first_type != second_type and _UNKNOWN not in (first_type, second_type):
                self._add_type_mismatch(path, (first, first_type), (second, second_type))

    def _add_missing_key(self, path: KeyPath, present: BundleResult, absent: BundleResult, shape: _Shape) -> None:
        enclosing = next(path[:n] for n in range(len(path) - 1, -1, -1) if path[:n] in shape.types or n == 0)
        if shape.types.get(enclosing, "object") != "object":
            return  # reported as a type mismatch, unless the content is unknown
        names = (present.bundle.target.environment, absent.bundle.target.environment)
        is_expected = self._is_declared_only_for_first(path, present.bundle.target, names)
        group = self._missing_groups.setdefault((path, *names, is_expected), _DifferenceGroup([], {}))
        group.bundles.append(absent.bundle.target.id)
        group.spans.update(_origin_spans(present, path))

    def _is_declared_only_for_first(self, path: KeyPath, target: Target, names: tuple[str, str]) -> bool:
        """Report whether a contract declares a variable for the first of two environments only."""
        contracts = self._contracts[target.project, target.team]
        contract = contracts.get(path[1]) if path[0] == "env_vars" else None
        environments = contract.rules.get("environments") if contract else None
        return environments is not None and [name in environments for name in names] == [True, False]

    def _add_type_mismatch(self, path: KeyPath, *sides: tuple[BundleResult, str]) -> None:
        types = tuple(sorted((result.bundle.target.environment, kind) for result, kind in sides))
        group = self._type_groups.setdefault((path, types), _DifferenceGroup([], {}))
        for result, _ in sides:
            group.bundles.append(result.bundle.target.id)
            group.spans.update(_origin_spans(result, path))

    def missing_keys(self) -> tuple[MissingKey, ...]:
        """Return the keys that one environment lacks, those that most agents lack first."""
        missing_keys = [
            MissingKey(format_path(path), present, absent, is_expected, *_sorted_members(group))
            for (path, present, absent, is_expected), group in self._missing_groups.items()
        ]
        return tuple(
            sorted(
                missing_keys,
                key=lambda missing: (missing.is_expected, missing.present_in, -len(missing.bundles), missing.key),
            )
        )

    def type_mismatches(self) -> tuple[TypeMismatch, ...]:
        """Return the keys whose types differ, those of most agents first."""
        mismatches = [
            TypeMismatch(format_path(path), dict(types), *_sorted_members(group))
            for (path, types), group in self._type_groups.items()
        ]
        return tuple(
            sorted(
                mismatches, key=lambda mismatch: (-len(mismatch.bundles), mismatch.key, sorted(mismatch.types.items()))
            )
        )


def _sorted_members(group: _DifferenceGroup) -> tuple[tuple[str, ...], tuple[Span, ...]]:
    return tuple(sorted(group.bundles)), tuple(sorted(group.spans))


def _origin_spans(result: BundleResult, path: KeyPath) -> dict[Span, None]:
    """Return the places that set a key, without those of secrets in its value."""
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
