"""Correct the modeline of a file, the comment that names its schema for editors."""

import posixpath
import re

from envtree.frontend.schemas import Schemas
from envtree.model.source import Source
from envtree.model.tree_layout import SCHEMA_FOLDER
from envtree.refactor.fix.file_changes import TreeIndex
from envtree.refactor.fix.parsed_file import Replacement
from envtree.sources.tree import EntryType

_SCHEMA_SUFFIX = ".schema.json"
_MODELINE = re.compile(r"#[ \t]+yaml-language-server[ \t]*:")
_SCHEMA = re.compile(r"\$schema=(\S+)")


def correct_modeline(source: Source, tree_index: TreeIndex, schemas: Schemas) -> Replacement | None:
    """Return the replacement of a wrong schema path by the right one; None if there is nothing to correct."""
    if b"yaml-language-server" not in source.data:
        return None
    schema_path = _find_schema_path(source.data.decode("utf-8", "replace"))
    if schema_path is None or re.search(r"[:\\]|^/", schema_path.text):
        # An address, or a path of this machine: the author uses a schema of their own.
        return None
    folder = posixpath.dirname(source.path)
    path = posixpath.normpath(posixpath.join(folder, schema_path.text))
    schema_name = f"{source.location.kind}{_SCHEMA_SUFFIX}"
    if path.startswith("..") or (
        tree_index.type_at(path) is not None and not _is_of_another_kind(path, schema_name, schemas)
    ):
        return None
    sibling = posixpath.join(posixpath.dirname(path), schema_name)
    target = next(
        (
            candidate
            for candidate in (sibling, f"{SCHEMA_FOLDER}/{schema_name}")
            if tree_index.type_at(candidate) is EntryType.FILE
        ),
        None,
    )
    return schema_path._replace(text=posixpath.relpath(target, folder or ".")) if target else None


def _find_schema_path(text: str) -> Replacement | None:
    """Return the schema path in the first modeline above all content."""
    offset = 0
    for line in text.split("\n"):
        if _MODELINE.match(line):
            schema = _SCHEMA.search(line)
            return Replacement(offset + schema.start(1), offset + schema.end(1), schema[1]) if schema else None
        if line.strip() not in ("", "---") and not line.lstrip().startswith("#"):
            return None
        offset += len(line) + 1
    return None


def _is_of_another_kind(path: str, schema_name: str, schemas: Schemas) -> bool:
    name = posixpath.basename(path)
    return (
        name != schema_name and name.endswith(_SCHEMA_SUFFIX) and name.removesuffix(_SCHEMA_SUFFIX) in schemas.names()
    )
