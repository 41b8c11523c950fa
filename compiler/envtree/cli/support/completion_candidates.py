"""Bundle ids and variables for completion: what decides about them is read, and nothing is complained about.

It is felt while somebody types. So no stage of the compiler is imported unless a file is written in an unusual way, and
git is not asked what it ignores.
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

# Keys may hide behind such beginnings of a line: quotes, flow style, merge keys, aliases, tags, an indented root.
_NEEDS_PARSER = re.compile(rb"^[\"'{?<&*!%]|\A(?:\s*#.*\n|\s*\n)*[ \t]+[^\s#]", re.MULTILINE)
_NAME = rb"[A-Za-z0-9][\w-]*"
_END = rb"[ \t]*(?:[ \t]#.*)?\r?$"
_ABSTRACT = re.compile(rb"^abstract:[ \t]+(true|false)" + _END, re.MULTILINE)
_FLOW_TARGETS = re.compile(rb"^targets:[ \t]+\[([\w\-, \t]*)\]" + _END, re.MULTILINE)
_TARGET_ITEM = rb"\n[ \t]*-[ \t]+(" + _NAME + rb")" + _END
_BLOCK_TARGETS = re.compile(rb"^targets:" + _END + rb"((?:" + _TARGET_ITEM + rb")+)(?=\n[^ \t#-]|\s*\Z)", re.MULTILINE)


# A name in capitals at the beginning of a line of its own, or in a map in braces.
_BLOCK_VARIABLE = re.compile(rb"^[ \t]+([A-Z][A-Z0-9_]+):", re.MULTILINE)
_FLOW_VARIABLE = re.compile(rb"[{,][ \t]*([A-Z][A-Z0-9_]+):[ \t]")


class _SourceFile(NamedTuple):
    """A file that has a say in where agents run; `name` is empty for a project and a team."""

    kind: Kind
    project: str
    team: str
    name: str
    path: str


def list_bundle_ids(directory: Path) -> list[str]:
    """The ids of the tree that a folder lies in, sorted; none where the tree cannot be read."""
    try:
        return sorted(_bundle_ids(_source_files(directory)))
    except (RootNotFoundError, MachineError, OSError):
        return []


def list_variables(directory: Path, id: str) -> list[str]:
    """What the files around a bundle write like names of variables, sorted; a few may name something else."""
    agents, _, _ = id.partition("@")
    project, *_ = agents.split("/")
    try:
        root = Path(find_root(directory))
        home = root / "projects" / project
        texts = [
            _read_unless_secret(file)
            for file in (*root.glob("*.yaml"), *root.glob("environments/*.yaml"), *_project_files(home, root))
        ]
    except (RootNotFoundError, OSError):
        return []
    found = {
        name.decode()
        for text in texts
        for pattern in (_BLOCK_VARIABLE, _FLOW_VARIABLE)
        for name in pattern.findall(text)
    }
    return sorted(found)


def list_environments(directory: Path) -> list[str]:
    """The environments that can be targets, sorted; none where the tree cannot be read."""
    try:
        known = _target_environments(_source_files(directory))
        return sorted({name for names in known.values() for name in names})
    except (RootNotFoundError, MachineError, OSError):
        return []


def list_source_files(directory: Path) -> list[str] | None:
    """The YAML files of a tree relative to its root, sorted; None from inside of it, where a shell knows better."""
    try:
        root = find_root(directory)
        if Path.cwd().is_relative_to(root):
            return None
        found = [
            root / "organization.yaml",
            *(path for name in ROOT_LAYOUT.folders for path in (root / name).rglob("*.yaml")),
        ]
        return sorted(path.relative_to(root).as_posix() for path in found)
    except (RootNotFoundError, MachineError, OSError):
        return []


def _project_files(home: Path, root: Path) -> Iterator[Path]:
    """The files of a project; agents and teams at the root belong to the default one."""
    folders = [home] if home.is_dir() else [root / "teams", root / "agents"]
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
    """The environments that can be targets, by the project that declares them; the empty string is the root."""
    root = {file.name for file in files if file.kind is Kind.ENVIRONMENT}
    found: dict[str, set[str]] = {}
    for file in files:
        # A project's file for an environment of the root only changes it.
        own = file.kind is Kind.OVERLAY and not file.team and file.name not in root
        if (own or file.kind is Kind.ENVIRONMENT) and not _is_abstract(file):
            found.setdefault(file.project, set()).add(file.name)
    return found


def _source_files(directory: Path) -> list[_SourceFile]:
    root = find_root(directory)
    placed = ((one, f"{root}/{one.path}") for one in list_entity_files(DirectoryTree(root)))
    return [
        _SourceFile(*one.location[:4], path)
        for one, path in placed
        if one.type is EntryType.FILE or os.path.isfile(path)
    ]


def _is_abstract(file: _SourceFile) -> bool:
    data = _read(file)
    simple = _ABSTRACT.findall(data)
    if simple and not _NEEDS_PARSER.search(data):
        return bool(simple[0] == b"true")
    node = _parse_field(file, data, "abstract")
    return getattr(node, "value", None) is True


def _declared_targets(file: _SourceFile) -> set[str] | None:
    """The environments that a file names; None where it leaves them open."""
    data = _read(file)
    listed, items = _FLOW_TARGETS.search(data), _BLOCK_TARGETS.search(data)
    if (listed or items) and not _NEEDS_PARSER.search(data):
        names = listed[1].split(b",") if listed else re.findall(_TARGET_ITEM, items[1] if items else b"", re.MULTILINE)
        return {name.strip().decode() for name in names}
    node = _parse_field(file, data, "targets")
    if node is None:
        return None
    from envtree.model.fields import get_text_scalars  # noqa: PLC0415 -- as in `_parsed`

    return {str(one.value) for one in get_text_scalars(node)}


def _read(file: _SourceFile) -> bytes:
    with open(file.path, "rb") as opened:
        return opened.read(FILE_LIMIT)


def _parse_field(file: _SourceFile, data: bytes, name: str) -> "Node | None":
    """A field of the root map; a file that does not mention it, or only elsewhere, is not parsed."""
    written = rb"^%b[ \t]*:" % name.encode()
    if name.encode() not in data or not (_NEEDS_PARSER.search(data) or re.search(written, data, re.MULTILINE)):
        return None
    from envtree.frontend.parse import parse  # noqa: PLC0415
    from envtree.model.fields import get_field  # noqa: PLC0415 -- reading YAML takes as long as all the rest

    location = Location(file.kind, file.project, file.team, file.name)
    return get_field(parse(Source(file.path, location, data, ""), Diagnostics()), name)
