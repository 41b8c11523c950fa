"""One key over all bundles, grouped by its value."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from envtree.diagnostics.suggest import nearest
from envtree.engine.run import Result, Run
from envtree.model.keypath import KeyPath, format_path
from envtree.model.merged import span_of
from envtree.model.resolved import Hidden
from envtree.model.span import Span
from envtree.model.value_path import Place
from envtree.output.bundle_cells import PARTS, Cell, cell, sealed_leaves
from envtree.output.emit.flatten import flatten
from envtree.output.masking import Unshown
from envtree.queries.explain.key import KeyMissingError, key_path
from envtree.queries.fleet.origins import origins

_KEYED = frozenset(PARTS) - {"organization"}
# Of these only parts are keys: no two bundles have all of one in common.
_WHOLE = (("env_vars",), ("secrets",))
_NOTHING: Final = object()


class Row(NamedTuple):
    """Bundles in which the key has the same value; it is null where it is sensitive, or depends on an input."""

    value: Any
    sensitive: bool
    unknown: bool
    bundles: tuple[str, ...]
    origins: tuple[Span, ...]


class Matrix(NamedTuple):
    """The values of a key, those of most bundles first, and the bundles without it."""

    key: str
    rows: tuple[Row, ...]
    missing: tuple[str, ...]

    @property
    def bundles(self) -> int:
        """How many bundles were looked at."""
        return len(self.missing) + sum(len(row.bundles) for row in self.rows)


def matrix(run: Run, key: str) -> Matrix:
    """One key over the selected bundles; the run is finished afterwards. KeyMissingError if no bundle has it."""
    workspace = run.workspace
    assert workspace
    path = _path(key)
    rows, sealed, known = _Rows(), _Rows(), _Known(path)
    unshown, flat = Unshown(workspace), _Flat(path, workspace.organization.output.env)
    for result in run.results():
        place = flat.place(result)
        found = _value(result, place)
        known.note(result)
        shown = None if found is _NOTHING else cell(found, place, unshown.names(result.bundle.target))
        rows.add(result, shown, tuple(origins(result, place, found)) if shown else ())
        if path[0] == "secrets":
            sealed.add(result, *_sealed(result, path))
    for one in (rows, sealed):
        if one.groups:
            return one.matrix(format_path(flat.key()))
    raise KeyMissingError(format_path(path), known.meant(flat.names), ())


class _Rows:
    """The rows so far, by what tells values apart."""

    def __init__(self) -> None:
        self.groups: dict[tuple[str, bytes], tuple[Cell, list[str], dict[Span, None]]] = {}
        self._missing: list[str] = []

    def add(self, result: Result, found: Cell | None, places: tuple[Span, ...]) -> None:
        """Take in one more bundle."""
        id = result.bundle.target.id
        if found is None:
            self._missing.append(id)
            return
        _, ids, spans = self.groups.setdefault((found.hidden, found.mark), (found, [], {}))
        ids.append(id)
        spans.update(dict.fromkeys(places))

    def matrix(self, key: str) -> Matrix:
        """All rows, in order."""
        rows = [
            Row(one.value, one.sensitive, one.hidden == "unknown", tuple(sorted(ids)), tuple(spans))
            for one, ids, spans in self.groups.values()
        ]
        rows.sort(key=lambda row: (-len(row.bundles), row.bundles))
        return Matrix(key, tuple(rows), tuple(sorted(self._missing)))


class _Flat:
    """The value that a variable is made of where `output.env` makes it: each bundle may have it at another place."""

    def __init__(self, path: KeyPath, patterns: Mapping[str, str]) -> None:
        self._path, self._patterns = path, patterns if path[0] == "env_vars" and len(path) == 2 else {}
        self._places: set[KeyPath] = set()
        self.names: set[str] = set()

    def place(self, result: Result) -> KeyPath:
        """Where the value is in a bundle."""
        if not self._patterns or self._path[1] in result.bundle.data["env_vars"]:
            return self._path
        places = {one.name: one.path for one in flatten(result.bundle.data, self._patterns)}
        self.names.update(places)
        self._places.update({places[self._path[1]]} if self._path[1] in places else ())
        return places.get(self._path[1], self._path)

    def key(self) -> KeyPath:
        """The key that was asked for, or the one place of the section that it stands for."""
        return next(iter(self._places)) if len(self._places) == 1 else self._path


class _Known:
    """The keys that there are, for whoever misspells one; variables are compared by their names alone."""

    def __init__(self, path: KeyPath) -> None:
        self._path = path
        self._keys: set[KeyPath] = set()
        # What bundles share is looked into once; it is kept, so that its id is not given to another.
        self._seen: dict[int, Any] = {}

    def note(self, result: Result) -> None:
        """Take in the keys of a bundle."""
        data = result.bundle.data
        if self._path[0] == "env_vars":
            self._keys.update(("env_vars", name) for name in data["env_vars"])
            return
        for section in _KEYED - {"env_vars"}:
            value = data[section]
            if id(value) not in self._seen:
                self._seen[id(value)] = value
                self._note(value, (section,))

    def _note(self, value: Any, path: KeyPath) -> None:
        if path not in _WHOLE:
            self._keys.add(path)
        # What an injected secret is made of is no key.
        if isinstance(value, dict) and (path[0] != "secrets" or path in _WHOLE):
            for key, child in value.items():
                self._note(child, (*path, key))

    def meant(self, further: Iterable[str]) -> str:
        """The nearest key; there may be further variables."""
        if self._path[0] == "env_vars":
            name = nearest(".".join(self._path[1:]), sorted({name for _, name in self._keys}.union(further)))
            return format_path(("env_vars", name)) if name else ""
        return nearest(format_path(self._path), sorted(map(format_path, self._keys)))


def _path(key: str) -> KeyPath:
    """The path of a key of which bundles can have the same."""
    path = key_path(key)
    if path in _WHOLE:
        raise KeyMissingError(key, "", ())
    return path


def _value(result: Result, path: KeyPath) -> Any:
    """The value of a bundle at a path, if there is one; of a hidden one no part can be told."""
    value: Any = result.bundle.data[path[0]] if path[0] in _KEYED else _NOTHING
    for step in path[1:]:
        if isinstance(value, Hidden):
            return value
        inside = {str(n): item for n, item in enumerate(value)} if isinstance(value, list) else value
        value = inside.get(step, _NOTHING) if isinstance(inside, dict) else _NOTHING
    # What every bundle has is nothing of its own while it is empty.
    return _NOTHING if len(path) == 1 and value in (None, {}, []) else value


def _sealed(result: Result, path: KeyPath) -> tuple[Cell | None, tuple[Span, ...]]:
    """The secret that expressions read by a path."""
    value = Place("sealed", path[1:]).at(result.resolved.merged)
    leaves = list(sealed_leaves(value)) if value else []
    if not leaves:
        return None, ()
    mark = "\n".join(leaf.node.text for leaf in leaves)
    return Cell(None, "secret", mark.encode()), tuple(map(span_of, leaves))
