"""Candidates for shell completion: bundle ids, variables, environments and files; errors yield no candidates.

Completion must be fast. So the parser is imported only for files that the patterns below cannot read, and git is not
asked which files it ignores.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from envtree.model.diagnostic import Diagnostics, MachineError
from envtree.model.source import Kind, Location, Source
from envtree.model.tree_layout import ROOT_LAYOUT
from envtree.sources.entity_listing import list_entity_files
from envtree.sources.tree import FILE_LIMIT, DirectoryTree, EntryType, RootNotFoundError, find_root

if TYPE_CHECKING:
    from envtree.model.nodes import Node

# Beginnings of a line that may contain keys in another form: quotes, flow style, merge keys, aliases, tags, an indented
# root.
_NEEDS_PARSER = re.compile(rb"^[\"'{?<&*!%]|\A(?:\s*#.*\n|\s*\n)*[ \t]+[^\s#]", re.MULTILINE)
_NAME = rb"[A-Za-z0-9][\w-]*"
_LINE_END = rb"[ \t]*(?:[ \t]#.*)?\r?$"
_ABSTRACT = re.compile(rb"^abstract:[ \t]+(true|false)" + _LINE_END, re.MULTILINE)
_FLOW_TARGETS = re.compile(rb"^targets:[ \t]+\[([\w\-, \t]*)\]" + _LINE_END, re.MULTILINE)
_TARGET_ITEM = rb"\n[ \t]*-[ \t]+(" + _NAME + rb")" + _LINE_END
_BLOCK_TARGETS = re.compile(
    rb"^targets:" + _LINE_END + rb"((?:" + _TARGET_ITEM + rb")+)(?=\n[^ \t#-]|\s*\Z)", re.MULTILINE
)
# A name in capitals as the key of an indented line, or of a map in flow style.
_BLOCK_VARIABLE = re.compile(rb"^[ \t]+([A-Z][A-Z0-9_]+):", re.MULTILINE)
_FLOW_VARIABLE = re.compile(rb"[{,][ \t]*([A-Z][A-Z0-9_]+):[ \t]")


class _SourceFile(NamedTuple):
    """A file that can declare targets; `name` is empty for the file of a project or a team."""

    kind: Kind
    project: str
    team: str
    name: str
    path: str


def list_bundle_ids(directory: Path) -> list[str]:
    """Return the bundle ids of the tree around a folder, sorted; none if the tree cannot be read."""
    try:
        return sorted(_bundle_ids(_source_files(directory)))
    except (RootNotFoundError, MachineError, OSError):
        return []


def list_variables(directory: Path, id: str) -> list[str]:
    """Return the keys in capitals of the files that a bundle may be made of, sorted; a few may not be variables."""
    project = id.partition("@")[0].partition("/")[0]
    try:
        root = Path(find_root(directory))
        project_folder = root / "projects" / project
        texts = [
            _read_unless_secret(path)
            for path in (*root.glob("*.yaml"), *root.glob("environments/*.yaml"), *_project_files(project_folder, root))
        ]
    except (RootNotFoundError, OSError):
        return []
    names = {
        name.decode()
        for text in texts
        for pattern in (_BLOCK_VARIABLE, _FLOW_VARIABLE)
        for name in pattern.findall(text)
    }
    return sorted(names)


def list_environments(directory: Path) -> list[str]:
    """Return the environments that can be targets, sorted; none if the tree cannot be read."""
    try:
        environments = _target_environments(_source_files(directory))
        return sorted({environment for names in environments.values() for environment in names})
    except (RootNotFoundError, MachineError, OSError):
        return []


def list_source_files(directory: Path) -> list[str] | None:
    """Return the YAML files of a tree relative to its root, sorted.

    None if the current folder is inside the tree: the shell completes file names better.
    """
    try:
        root = find_root(directory)
        if Path.cwd().is_relative_to(root):
            return None
        paths = [
            root / "organization.yaml",
            *(path for name in ROOT_LAYOUT.folders for path in (root / name).rglob("*.yaml")),
        ]
        return sorted(path.relative_to(root).as_posix() for path in paths)
    except (RootNotFoundError, MachineError, OSError):
        return []


def _project_files(project_folder: Path, root: Path) -> Iterator[Path]:
    """Yield the files of a project; agents and teams at the root belong to the default project."""
    folders = [project_folder] if project_folder.is_dir() else [root / "teams", root / "agents"]
    for folder in folders:
        yield from folder.rglob("*.yaml")


def _read_unless_secret(path: Path) -> bytes:
    return b"" if ".secrets." in path.name or path.stat().st_size > FILE_LIMIT else path.read_bytes()


def _bundle_ids(files: list[_SourceFile]) -> Iterator[str]:
    owners = {file[:3]: file for file in files if not file.name}
    environments = _target_environments(files)
    for agent in (file for file in files if file.kind is Kind.AGENT):
        _, project, team, name, _ = agent
        targets = environments.get("", set()) | environments.get(project, set())
        for file in (owners.get((Kind.PROJECT, project, "")), owners.get((Kind.TEAM, project, team)), agent):
            declared = _declared_targets(file) if file else None
            targets = targets if declared is None else targets & declared
        yield from ("/".join(filter(None, (project, team, name))) + f"@{target}" for target in targets)


def _target_environments(files: list[_SourceFile]) -> dict[str, set[str]]:
    """Return the environments that can be targets by the project that declares them; the empty string is the root."""
    root = {file.name for file in files if file.kind is Kind.ENVIRONMENT}
    environments: dict[str, set[str]] = {}
    for file in files:
        # A project's file for an environment that the root declares is only an overlay.
        is_own = file.kind is Kind.OVERLAY and not file.team and file.name not in root
        if (is_own or file.kind is Kind.ENVIRONMENT) and not _is_abstract(file):
            environments.setdefault(file.project, set()).add(file.name)
    return environments


def _source_files(directory: Path) -> list[_SourceFile]:
    root = find_root(directory)
    entities = ((entity, f"{root}/{entity.path}") for entity in list_entity_files(DirectoryTree(root)))
    return [
        _SourceFile(*entity.location[:4], path)
        for entity, path in entities
        if entity.type is EntryType.FILE or os.path.isfile(path)
    ]


def _is_abstract(file: _SourceFile) -> bool:
    data = _read(file)
    values = _ABSTRACT.findall(data)
    if values and not _NEEDS_PARSER.search(data):
        return bool(values[0] == b"true")
    node = _parse_field(file, data, "abstract")
    return getattr(node, "value", None) is True


def _declared_targets(file: _SourceFile) -> set[str] | None:
    """Return the targets that a file declares, or None if it declares none."""
    data = _read(file)
    flow, block = _FLOW_TARGETS.search(data), _BLOCK_TARGETS.search(data)
    if (flow or block) and not _NEEDS_PARSER.search(data):
        names = flow[1].split(b",") if flow else re.findall(_TARGET_ITEM, block[1] if block else b"", re.MULTILINE)
        return {name.strip().decode() for name in names}
    node = _parse_field(file, data, "targets")
    if node is None:
        return None
    from envtree.model.fields import get_text_scalars  # noqa: PLC0415 -- as in `_parse_field`

    return {str(scalar.value) for scalar in get_text_scalars(node)}


def _read(file: _SourceFile) -> bytes:
    with open(file.path, "rb") as stream:
        return stream.read(FILE_LIMIT)


def _parse_field(file: _SourceFile, data: bytes, name: str) -> "Node | None":
    """Return a field of the root map; the file is parsed only if that field may occur in it."""
    key_pattern = rb"^%b[ \t]*:" % name.encode()
    if name.encode() not in data or not (_NEEDS_PARSER.search(data) or re.search(key_pattern, data, re.MULTILINE)):
        return None
    from envtree.frontend.parse import parse  # noqa: PLC0415
    from envtree.model.fields import get_field  # noqa: PLC0415 -- reading YAML takes as long as all the rest

    location = Location(file.kind, file.project, file.team, file.name)
    return get_field(parse(Source(file.path, location, data, ""), Diagnostics()), name)
