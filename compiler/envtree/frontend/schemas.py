"""Load the JSON Schemas that ship with the package, and check data against them."""

import decimal  # noqa: F401 -- jsonschema_rs imports it, and panics if a signal ends the command meanwhile
from collections.abc import Iterator
from functools import cache, cached_property
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import orjson

from envtree.model.schema_fault import SchemaFault

if TYPE_CHECKING:
    from envtree.frontend.schema_faults import FaultFinder

_SCHEMA_SUFFIX = ".schema.json"
_COMMON_FOLDER = "common"
# Keywords whose value is a map of schemas, and keywords whose value is data, where `$ref` is an ordinary key.
_SCHEMA_MAP_KEYWORDS = frozenset({"properties", "$defs", "dependentSchemas"})
_DATA_KEYWORDS = frozenset({"const", "default", "enum", "examples"})


def schema_root() -> Traversable:
    """Return the folder of the shipped schemas; in a checkout, the `schema` folder of the repository."""
    shipped = files("envtree").joinpath("schema")
    return shipped if shipped.is_dir() else Path(__file__).parents[3] / "schema"


class Schemas:
    """The schemas by name (`agent`, `output/check`), read and compiled on first use.

    References resolve to the files of `common/` only; nothing is ever fetched.
    """

    def __init__(self, root: Traversable | None = None) -> None:
        self._root = root or schema_root()
        self._validator = cache(self._compile)

    def names(self) -> tuple[str, ...]:
        """Return the sorted names of all schemas except those that are only parts of others."""
        return tuple(
            sorted(name for name in _iter_schema_names(self._root) if not name.startswith(f"{_COMMON_FOLDER}/"))
        )

    def text(self, name: str) -> str:
        """Return a schema as one self-contained file, for editors; KeyError for a name that `names` does not list."""
        if name not in self.names():
            raise KeyError(name)
        parts = {path.rpartition("/")[2]: part for path, part in self._common_schemas.items()}
        layout = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
        return orjson.dumps(_bundle_schema(self._load_schema(name), parts), option=layout).decode()

    def is_valid(self, name: str, data: Any) -> bool:
        """Report whether data fits a schema."""
        return self._validator(name).is_valid(data)

    def find_faults(self, name: str, data: Any) -> list[SchemaFault]:
        """Return why data does not fit a schema; slow, so call `is_valid` first."""
        return self._fault_finder.find_faults(name, self._load_schema(name), data)

    def _load_schema(self, name: str) -> Any:
        return orjson.loads(_schema_file(self._root, name).read_bytes())

    @cached_property
    def _common_schemas(self) -> dict[str, Any]:
        folder = self._root.joinpath(_COMMON_FOLDER)
        return {
            f"{name}{_SCHEMA_SUFFIX}": self._load_schema(name)
            for name in _iter_schema_names(folder, f"{_COMMON_FOLDER}/")
        }

    @cached_property
    def _registry(self) -> jsonschema_rs.Registry:
        return jsonschema_rs.Registry(list(self._common_schemas.items()), retriever=_refuse_retrieval)

    @cached_property
    def _fault_finder(self) -> "FaultFinder":
        # Importing jsonschema takes 60 ms, more than compiling a small tree, and only a broken file needs it.
        from envtree.frontend.schema_faults import FaultFinder  # noqa: PLC0415

        return FaultFinder(self._common_schemas)

    def _compile(self, name: str) -> jsonschema_rs.Draft202012Validator:
        return jsonschema_rs.Draft202012Validator(
            self._load_schema(name),
            registry=self._registry,
            base_uri=f"{name}{_SCHEMA_SUFFIX}",
            pattern_options=jsonschema_rs.RegexOptions(),
            offline=True,
        )


def _bundle_schema(schema: dict[str, Any], parts: dict[str, Any]) -> dict[str, Any]:
    """Return a schema with all parts that it needs under `$defs`, by file name."""
    needed_parts: dict[str, None] = {}
    bundled: dict[str, Any] = _rebase_references(schema, "#", needed_parts)
    definitions: dict[str, Any] = bundled.pop("$defs", {})
    while missing := [part for part in needed_parts if part not in definitions]:
        for part in missing:
            rebased = _rebase_references(parts[part], f"#/$defs/{part}", needed_parts)
            # Only the root of a file names its dialect.
            definitions[part] = {key: value for key, value in rebased.items() if key != "$schema"}
    return bundled | ({"$defs": definitions} if definitions else {})


def _rebase_references(schema: Any, base_pointer: str, needed_parts: dict[str, None]) -> Any:
    """Return a schema with references that resolve once its root is at `base_pointer`.

    The parts that they lead to are added to `needed_parts`.
    """
    if isinstance(schema, list):
        return [_rebase_references(item, base_pointer, needed_parts) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {keyword: _rebase_keyword(keyword, value, base_pointer, needed_parts) for keyword, value in schema.items()}


def _rebase_keyword(keyword: str, value: Any, base_pointer: str, needed_parts: dict[str, None]) -> Any:
    if keyword == "$ref":
        file, _, fragment = value.partition("#")
        if not file:
            return base_pointer + fragment
        part = file.rpartition("/")[2]
        needed_parts[part] = None
        return f"#/$defs/{part}{fragment}"
    if keyword in _DATA_KEYWORDS:
        return value
    if keyword in _SCHEMA_MAP_KEYWORDS:
        return {name: _rebase_references(subschema, base_pointer, needed_parts) for name, subschema in value.items()}
    return _rebase_references(value, base_pointer, needed_parts)


def _iter_schema_names(folder: Traversable, prefix: str = "") -> Iterator[str]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _iter_schema_names(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith(_SCHEMA_SUFFIX):
            yield prefix + entry.name.removesuffix(_SCHEMA_SUFFIX)


def _schema_file(root: Traversable, name: str) -> Traversable:
    folder, _, last = f"{name}{_SCHEMA_SUFFIX}".rpartition("/")
    return root.joinpath(folder, last) if folder else root.joinpath(last)


def _refuse_retrieval(uri: str) -> Any:
    raise LookupError(uri)
