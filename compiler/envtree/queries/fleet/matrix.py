"""One key over all bundles, grouped by its value."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from envtree.diagnostics.suggest import nearest_name
from envtree.engine.request import BundleResult
from envtree.engine.run import Run
from envtree.model.keypath import KeyPath, format_path
from envtree.model.merged import merged_span
from envtree.model.resolved import HiddenValue
from envtree.model.span import Span
from envtree.model.value_path import ValuePath
from envtree.output.bundle_cells import CELL_SECTIONS, Cell, make_cell, sealed_leaves
from envtree.output.emit.flatten import flatten
from envtree.output.masking import SecretNames
from envtree.queries.explain.key_lookup import KeyMissingError, parse_key
from envtree.queries.fleet.origins import find_origins

_KEYED_SECTIONS = frozenset(CELL_SECTIONS) - {"organization"}
# Of these only parts are keys: no two bundles have all of one in common.
_NON_KEYS = (("env_vars",), ("secrets",))
_ABSENT: Final = object()


class MatrixRow(NamedTuple):
    """Bundles in which the key has the same value; it is null where it is sensitive, or depends on an input."""

    value: Any
    sensitive: bool
    unknown: bool
    bundles: tuple[str, ...]
    origins: tuple[Span, ...]


class Matrix(NamedTuple):
    """The values of a key, those of most bundles first, and the bundles without it."""

    key: str
    rows: tuple[MatrixRow, ...]
    missing: tuple[str, ...]

    @property
    def bundle_count(self) -> int:
        """How many bundles were looked at."""
        return len(self.missing) + sum(len(row.bundles) for row in self.rows)


def matrix(run: Run, key: str) -> Matrix:
    """One key over the selected bundles; the run is finished afterwards. KeyMissingError if no bundle has it."""
    workspace = run.workspace
    assert workspace
    path = _parse_comparable_key(key)
    rows, sealed, known = _RowBuilder(), _RowBuilder(), _KeySuggester(path)
    unshown, flat = SecretNames(workspace), _VariableResolver(path, workspace.organization.output.env_patterns)
    for result in run.results():
        place = flat.locate(result)
        found = _find_value(result, place)
        known.add(result)
        shown = None if found is _ABSENT else make_cell(found, place, unshown.for_target(result.bundle.target))
        rows.add(result, shown, tuple(find_origins(result, place, found)) if shown else ())
        if path[0] == "secrets":
            sealed.add(result, *_sealed_cell(result, path))
    for one in (rows, sealed):
        if one.groups:
            return one.build(format_path(flat.reported_key()))
    raise KeyMissingError(format_path(path), known.suggest(flat.names), ())


class _RowBuilder:
    """The rows so far, by what tells values apart."""

    def __init__(self) -> None:
        self.groups: dict[tuple[str, bytes], tuple[Cell, list[str], dict[Span, None]]] = {}
        self._missing: list[str] = []

    def add(self, result: BundleResult, found: Cell | None, places: tuple[Span, ...]) -> None:
        """Take in one more bundle."""
        id = result.bundle.target.id
        if found is None:
            self._missing.append(id)
            return
        _, ids, spans = self.groups.setdefault((found.hidden, found.comparison_key), (found, [], {}))
        ids.append(id)
        spans.update(dict.fromkeys(places))

    def build(self, key: str) -> Matrix:
        """All rows, in order."""
        rows = [
            MatrixRow(one.value, one.is_secret, one.hidden == "unknown", tuple(sorted(ids)), tuple(spans))
            for one, ids, spans in self.groups.values()
        ]
        rows.sort(key=lambda row: (-len(row.bundles), row.bundles))
        return Matrix(key, tuple(rows), tuple(sorted(self._missing)))


class _VariableResolver:
    """The value that a variable is made of where `output.env` makes it: each bundle may have it at another place."""

    def __init__(self, path: KeyPath, patterns: Mapping[str, str]) -> None:
        self._path, self._patterns = path, patterns if path[0] == "env_vars" and len(path) == 2 else {}
        self._source_paths: set[KeyPath] = set()
        self.names: set[str] = set()

    def locate(self, result: BundleResult) -> KeyPath:
        """Where the value is in a bundle."""
        if not self._patterns or self._path[1] in result.bundle.data["env_vars"]:
            return self._path
        places = {one.name: one.path for one in flatten(result.bundle.data, self._patterns)}
        self.names.update(places)
        self._source_paths.update({places[self._path[1]]} if self._path[1] in places else ())
        return places.get(self._path[1], self._path)

    def reported_key(self) -> KeyPath:
        """The key that was asked for, or the one place of the section that it stands for."""
        return next(iter(self._source_paths)) if len(self._source_paths) == 1 else self._path


class _KeySuggester:
    """The keys that there are, for whoever misspells one; variables are compared by their names alone."""

    def __init__(self, path: KeyPath) -> None:
        self._path = path
        self._keys: set[KeyPath] = set()
        # What bundles share is looked into once; it is kept, so that its id is not given to another.
        self._visited: dict[int, Any] = {}

    def add(self, result: BundleResult) -> None:
        """Take in the keys of a bundle."""
        data = result.bundle.data
        if self._path[0] == "env_vars":
            self._keys.update(("env_vars", name) for name in data["env_vars"])
            return
        for section in _KEYED_SECTIONS - {"env_vars"}:
            value = data[section]
            if id(value) not in self._visited:
                self._visited[id(value)] = value
                self._add_nested(value, (section,))

    def _add_nested(self, value: Any, path: KeyPath) -> None:
        if path not in _NON_KEYS:
            self._keys.add(path)
        # What an injected secret is made of is no key.
        if isinstance(value, dict) and (path[0] != "secrets" or path in _NON_KEYS):
            for key, child in value.items():
                self._add_nested(child, (*path, key))

    def suggest(self, further: Iterable[str]) -> str:
        """The nearest key; there may be further variables."""
        if self._path[0] == "env_vars":
            name = nearest_name(".".join(self._path[1:]), sorted({name for _, name in self._keys}.union(further)))
            return format_path(("env_vars", name)) if name else ""
        return nearest_name(format_path(self._path), sorted(map(format_path, self._keys)))


def _parse_comparable_key(key: str) -> KeyPath:
    """The path of a key of which bundles can have the same."""
    path = parse_key(key)
    if path in _NON_KEYS:
        raise KeyMissingError(key, "", ())
    return path


def _find_value(result: BundleResult, path: KeyPath) -> Any:
    """The value of a bundle at a path, if there is one; of a hidden one no part can be told."""
    value: Any = result.bundle.data[path[0]] if path[0] in _KEYED_SECTIONS else _ABSENT
    for step in path[1:]:
        if isinstance(value, HiddenValue):
            return value
        inside = {str(n): item for n, item in enumerate(value)} if isinstance(value, list) else value
        value = inside.get(step, _ABSENT) if isinstance(inside, dict) else _ABSENT
    # What every bundle has is nothing of its own while it is empty.
    return _ABSENT if len(path) == 1 and value in (None, {}, []) else value


def _sealed_cell(result: BundleResult, path: KeyPath) -> tuple[Cell | None, tuple[Span, ...]]:
    """The secret that expressions read by a path."""
    value = ValuePath("sealed", path[1:]).merged_value(result.resolved.merged)
    leaves = list(sealed_leaves(value)) if value else []
    if not leaves:
        return None, ()
    mark = "\n".join(leaf.node.text for leaf in leaves)
    return Cell(None, "secret", mark.encode()), tuple(map(merged_span, leaves))
