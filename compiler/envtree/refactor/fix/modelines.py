"""The comment that tells an editor the schema of a file: kept right where there is one."""

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
    """The right path in the place of a wrong one; None where there is none, or nothing better is known."""
    if b"yaml-language-server" not in source.data:
        return None
    found = _find_schema_path(source.data.decode("utf-8", "replace"))
    if found is None or re.search(r"[:\\]|^/", found.text):
        # An address, or a path of this machine: whoever wrote it has a schema of their own.
        return None
    folder = posixpath.dirname(source.path)
    path = posixpath.normpath(posixpath.join(folder, found.text))
    right = f"{source.location.kind}{_SCHEMA_SUFFIX}"
    if path.startswith("..") or (
        tree_index.kind_at(path) is not None and not _is_of_another_kind(path, right, schemas)
    ):
        return None
    beside = posixpath.join(posixpath.dirname(path), right)
    target = next(
        (each for each in (beside, f"{SCHEMA_FOLDER}/{right}") if tree_index.kind_at(each) is EntryType.FILE), None
    )
    return found._replace(text=posixpath.relpath(target, folder or ".")) if target else None


def _find_schema_path(text: str) -> Replacement | None:
    """The schema's path in the first modeline above all content."""
    at = 0
    for line in text.split("\n"):
        if _MODELINE.match(line):
            schema = _SCHEMA.search(line)
            return Replacement(at + schema.start(1), at + schema.end(1), schema[1]) if schema else None
        if line.strip() not in ("", "---") and not line.lstrip().startswith("#"):
            return None
        at += len(line) + 1
    return None


def _is_of_another_kind(path: str, right: str, schemas: Schemas) -> bool:
    name = posixpath.basename(path)
    return name != right and name.endswith(_SCHEMA_SUFFIX) and name.removesuffix(_SCHEMA_SUFFIX) in schemas.names()
