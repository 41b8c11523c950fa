"""The values of one key in all bundles, grouped."""

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
# Only parts of these sections are keys: the whole section differs in every bundle.
_NON_KEYS = (("env_vars",), ("secrets",))
_ABSENT: Final = object()


class MatrixRow(NamedTuple):
    """Bundles in which the key has the same value; the value is null if it is sensitive, or depends on an input."""

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
        """The number of bundles that were examined."""
        return len(self.missing) + sum(len(row.bundles) for row in self.rows)


def matrix(run: Run, key: str) -> Matrix:
    """Return the values of a key in the selected bundles, and finish the run; KeyMissingError if no bundle has it."""
    workspace = run.workspace
    assert workspace
    path = _parse_comparable_key(key)
    rows, sealed_rows, suggester = _RowBuilder(), _RowBuilder(), _KeySuggester(path)
    secret_names, resolver = SecretNames(workspace), _VariableResolver(path, workspace.organization.output.env_patterns)
    for result in run.results():
        value_path = resolver.locate(result)
        value = _find_value(result, value_path)
        suggester.add(result)
        cell = None if value is _ABSENT else make_cell(value, value_path, secret_names.for_target(result.bundle.target))
        rows.add(result, cell, tuple(find_origins(result, value_path, value)) if cell else ())
        if path[0] == "secrets":
            sealed_rows.add(result, *_sealed_cell(result, path))
    for builder in (rows, sealed_rows):
        if builder.groups:
            return builder.build(format_path(resolver.reported_key()))
    raise KeyMissingError(format_path(path), suggester.suggest(resolver.names), ())


class _RowBuilder:
    """Collects rows, grouped by the comparison keys of their values."""

    def __init__(self) -> None:
        self.groups: dict[tuple[str, bytes], tuple[Cell, list[str], dict[Span, None]]] = {}
        self._missing: list[str] = []

    def add(self, result: BundleResult, cell: Cell | None, origins: tuple[Span, ...]) -> None:
        """Add a bundle."""
        id = result.bundle.target.id
        if cell is None:
            self._missing.append(id)
            return
        _, ids, group_origins = self.groups.setdefault((cell.hidden, cell.comparison_key), (cell, [], {}))
        ids.append(id)
        group_origins.update(dict.fromkeys(origins))

    def build(self, key: str) -> Matrix:
        """Return all rows, in order."""
        rows = [
            MatrixRow(
                value=cell.value,
                sensitive=cell.is_secret,
                unknown=cell.hidden == "unknown",
                bundles=tuple(sorted(ids)),
                origins=tuple(origins),
            )
            for cell, ids, origins in self.groups.values()
        ]
        rows.sort(key=lambda row: (-len(row.bundles), row.bundles))
        return Matrix(key, tuple(rows), tuple(sorted(self._missing)))


class _VariableResolver:
    """Finds the value that `output.env` makes a variable of; each bundle may have it at another path."""

    def __init__(self, path: KeyPath, patterns: Mapping[str, str]) -> None:
        self._path, self._patterns = path, patterns if path[0] == "env_vars" and len(path) == 2 else {}
        self._source_paths: set[KeyPath] = set()
        self.names: set[str] = set()

    def locate(self, result: BundleResult) -> KeyPath:
        """Return the path of the value in a bundle."""
        if not self._patterns or self._path[1] in result.bundle.data["env_vars"]:
            return self._path
        paths_by_name = {variable.name: variable.path for variable in flatten(result.bundle.data, self._patterns)}
        self.names.update(paths_by_name)
        self._source_paths.update({paths_by_name[self._path[1]]} if self._path[1] in paths_by_name else ())
        return paths_by_name.get(self._path[1], self._path)

    def reported_key(self) -> KeyPath:
        """Return the requested key, or the path that it resolves to if that is the same in all bundles."""
        return next(iter(self._source_paths)) if len(self._source_paths) == 1 else self._path


class _KeySuggester:
    """Collects the existing keys, to suggest one for a misspelled key; variables are compared by name alone."""

    def __init__(self, path: KeyPath) -> None:
        self._path = path
        self._keys: set[KeyPath] = set()
        # Shared values are visited once; they are kept alive, so that no other object gets the same id.
        self._visited: dict[int, Any] = {}

    def add(self, result: BundleResult) -> None:
        """Add the keys of a bundle."""
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
        # The parts of an injected secret are no keys.
        if isinstance(value, dict) and (path[0] != "secrets" or path in _NON_KEYS):
            for key, child in value.items():
                self._add_nested(child, (*path, key))

    def suggest(self, additional_names: Iterable[str]) -> str:
        """Return the nearest key, or one of the additional variables."""
        if self._path[0] == "env_vars":
            name = nearest_name(
                ".".join(self._path[1:]), sorted({name for _, name in self._keys}.union(additional_names))
            )
            return format_path(("env_vars", name)) if name else ""
        return nearest_name(format_path(self._path), sorted(map(format_path, self._keys)))


def _parse_comparable_key(key: str) -> KeyPath:
    """Return the path of a key whose values can be compared across bundles."""
    path = parse_key(key)
    if path in _NON_KEYS:
        raise KeyMissingError(key, "", ())
    return path


def _find_value(result: BundleResult, path: KeyPath) -> Any:
    """Return a bundle's value at a path, or `_ABSENT`; for a part of a hidden value, the whole hidden value."""
    value: Any = result.bundle.data[path[0]] if path[0] in _KEYED_SECTIONS else _ABSENT
    for step in path[1:]:
        if isinstance(value, HiddenValue):
            return value
        children = {str(n): item for n, item in enumerate(value)} if isinstance(value, list) else value
        value = children.get(step, _ABSENT) if isinstance(children, dict) else _ABSENT
    # A section exists in every bundle; an empty one counts as absent.
    return _ABSENT if len(path) == 1 and value in (None, {}, []) else value


def _sealed_cell(result: BundleResult, path: KeyPath) -> tuple[Cell | None, tuple[Span, ...]]:
    """Return the cell and the locations of a secret that expressions read by a path."""
    value = ValuePath("sealed", path[1:]).merged_value(result.resolved.merged)
    leaves = list(sealed_leaves(value)) if value else []
    if not leaves:
        return None, ()
    ciphertexts = "\n".join(leaf.node.text for leaf in leaves)
    return Cell(None, "secret", ciphertexts.encode()), tuple(map(merged_span, leaves))
