"""Discover: every file of the tree gets its place in the organization, or a finding that says why it has none."""

from collections.abc import Iterator, Mapping
from hashlib import sha256
from itertools import islice
from typing import NamedTuple

from envtree.diagnostics.suggest import did_you_mean, nearest_name
from envtree.model.diagnostic import Diagnostic, Diagnostics, RelatedSpan
from envtree.model.source import Kind, Location, Source
from envtree.model.span import file_span
from envtree.model.tree_layout import (
    DEFAULT_PROJECT,
    EMPTY_LAYOUT,
    IMPLICIT_PROJECT_FOLDERS,
    NAME_RULE,
    ROOT_FILE,
    ROOT_LAYOUT,
    SECRET_OWNERS,
    SECRETS_FILE_FORMATS,
    FileName,
    FolderLayout,
    allowed_contents,
    escape_unprintable,
    is_valid_name,
    parse_file_name,
    suggest_name,
    suggest_root_path,
)
from envtree.sources.tree import EntryType, Tree, TreeEntry, not_regular_problem
from envtree.system.disk import MANIFEST_FILE

# Twice and a half what 100,000 bundles take. Beyond, a folder of data has found its way into the tree more likely than
# people have written so much; a run that needs all of them at once takes about 40 kB for each, so 4 GB for so many.
MAX_FILES = 100_000
_MAX_MANIFEST_BYTES = 1 << 26


class _Folder(NamedTuple):
    """A folder on the way down; `home` is the project or team folder above it.

    `stray` is what a finding about a file in a folder of no meaning says: its hint, or the whole of it.
    """

    path: str = ""
    layout: FolderLayout = ROOT_LAYOUT
    project: str = ""
    team: str = ""
    parent_entity_folder: "_Folder | None" = None
    stray_hint: str | Diagnostic = ""

    @property
    def is_entity_folder(self) -> bool:
        """Whether this is the folder of a project or a team."""
        return self.layout.own_kind in (Kind.PROJECT, Kind.TEAM)

    @property
    def nearest_entity_folder(self) -> "_Folder | None":
        """The folder itself if it is a home, else the one above it."""
        return self if self.is_entity_folder else self.parent_entity_folder


class _DiscoveredPath(NamedTuple):
    """A path that matters: a file with its place, a finding, or a sign that its home is in use."""

    path: str
    result: Location | Diagnostic | None
    entity_folder: _Folder | None


def discover(tree: Tree, diags: Diagnostics) -> dict[str, Location]:
    """The place of every file of the tree that means something, in the order of their paths."""
    found = sorted(islice(_walk(tree), MAX_FILES + 1), key=lambda each: each.path)
    if len(found) > MAX_FILES:
        hint = "split the organization, or keep other files out of its folders"
        diags.add(_finding(ROOT_FILE, "ET109", f"the tree holds more than {MAX_FILES} files", hint))
        return {}
    kept = _without_ignored(tree, found)
    placed = {each.path: each.result for each in kept if isinstance(each.result, Location)}
    diags.extend(dict.fromkeys(each.result for each in kept if isinstance(each.result, Diagnostic)))
    diags.extend(_missing_entity_files(kept))
    diags.extend(_orphaned_secrets(kept, placed))
    diags.extend(_ambiguous_default_project(placed))
    for doubled in _duplicate_secrets(placed):
        diags.add(doubled)
        del placed[doubled.span.path]
    if any(path.startswith("projects/default/") for path in placed):
        placed = {path: at for path, at in placed.items() if path.partition("/")[0] not in IMPLICIT_PROJECT_FOLDERS}
    return _promote_project_environments(placed)


def read_sources(tree: Tree, locations: Mapping[str, Location], diags: Diagnostics) -> Iterator[Source]:
    """The content of each file that has a place; one that cannot be read is a finding."""
    for path, location in locations.items():
        data = tree.read(path)
        if isinstance(data, bytes):
            yield Source(path, location, data, sha256(data).hexdigest())
        else:
            diags.add(_finding(path, *data))


def _promote_project_environments(locations: dict[str, Location]) -> dict[str, Location]:
    """A project's file for an environment that the root does not declare is the environment, not an overlay of it."""
    root = {at.name for at in locations.values() if at.kind is Kind.ENVIRONMENT}
    files = {(at.project, at.name) for at in locations.values() if at.kind is Kind.OVERLAY and not at.team}

    def settle(at: Location) -> Location:
        own = not at.team and at.name not in root and (at.project, at.name) in files
        if own and at.kind is Kind.OVERLAY:
            return at._replace(kind=Kind.ENVIRONMENT)
        return at._replace(owner=Kind.ENVIRONMENT) if own and at.owner is Kind.OVERLAY else at

    return {path: settle(at) for path, at in locations.items()}


def _without_ignored(tree: Tree, discovered: list[_DiscoveredPath]) -> list[_DiscoveredPath]:
    ignored = tree.ignored(dict.fromkeys(each.path for each in discovered))
    # A tree that stands in an ignored folder was named on purpose.
    return discovered if ROOT_FILE in ignored else [each for each in discovered if each.path not in ignored]


# The walk.


def _walk(tree: Tree) -> Iterator[_DiscoveredPath]:
    waiting = [_Folder()]
    while waiting:
        folder = waiting.pop()
        visible = [entry for entry in tree.entries(folder.path) if not entry.name.startswith(".")]
        manifest = _find_manifest(tree, visible) if folder.path else None
        if manifest and folder.layout is EMPTY_LAYOUT:
            continue
        for entry in visible:
            if entry is manifest:
                # Were it obeyed, one file could take all policies, or a project, out of sight.
                yield _DiscoveredPath(entry.path, _misplaced_manifest_finding(folder, entry), None)
            elif entry.type is EntryType.FOLDER and parse_file_name(entry.name) is None:
                below = _enter_folder(folder, entry)
                if isinstance(below, _Folder):
                    waiting.append(below)
                elif below:
                    yield _DiscoveredPath(entry.path, below, None)
            else:
                yield from _inspect_entry(folder, entry)


def _find_manifest(tree: Tree, entries: list[TreeEntry]) -> TreeEntry | None:
    """The entry that marks the folder as an output of envtree."""
    entry = next((each for each in entries if each.type is EntryType.FILE and each.name == MANIFEST_FILE), None)
    data = tree.read(entry.path, limit=_MAX_MANIFEST_BYTES) if entry else b""
    return entry if isinstance(data, bytes) and b'"envtree"' in data else None


def _enter_folder(folder: _Folder, entry: TreeEntry) -> _Folder | Diagnostic | None:
    """The folder below, a finding about its name, or None for one that is none of envtree's business."""
    place, name = folder.layout, entry.name
    if name in place.folders:
        project = DEFAULT_PROJECT if place is ROOT_LAYOUT and name in IMPLICIT_PROJECT_FOLDERS else folder.project
        below = place.folders[name]
        return folder._replace(
            path=entry.path, layout=below, project=project, parent_entity_folder=folder.nearest_entity_folder
        )
    if place.child_layout:
        return _enter_child(folder, entry, place.child_layout)
    if place is ROOT_LAYOUT:
        return _enter_near_miss(entry)
    known = [f"{folder.path}/{each}" for each in allowed_contents(place).values() if each.endswith("/")]
    hint = did_you_mean(f"{entry.path}/", known) if known else f"move the file directly into '{folder.path}/'"
    return folder._replace(
        path=entry.path,
        layout=EMPTY_LAYOUT,
        parent_entity_folder=folder.nearest_entity_folder,
        stray_hint=folder.stray_hint or hint,
    )


def _enter_child(folder: _Folder, entry: TreeEntry, place: FolderLayout) -> _Folder | Diagnostic:
    if not is_valid_name(entry.name):
        return _bad_name_finding(entry.path, entry.name)
    if place.own_kind is Kind.PROJECT:
        return _Folder(entry.path, place, project=entry.name)
    return _Folder(entry.path, place, folder.project, team=entry.name, parent_entity_folder=folder.parent_entity_folder)


def _enter_near_miss(entry: TreeEntry) -> _Folder | None:
    meant = suggest_root_path(entry.name)
    if not meant:
        return None
    return _Folder(entry.path, EMPTY_LAYOUT, stray_hint=_near_miss_finding(entry.path, f"{meant}/"))


def _inspect_entry(folder: _Folder, entry: TreeEntry) -> Iterator[_DiscoveredPath]:
    what = _classify_entry(folder, entry)
    if what or folder.is_entity_folder:
        yield _DiscoveredPath(entry.path, what, folder.nearest_entity_folder)


def _classify_entry(folder: _Folder, entry: TreeEntry) -> Location | Diagnostic | None:
    name = parse_file_name(entry.name)
    if name is None:
        return _folder_link_finding(folder, entry)
    if folder.layout is ROOT_LAYOUT and not _is_entity_file(folder, name):
        meant = suggest_root_path(entry.name)
        return _near_miss_finding(entry.path, meant) if meant else None
    if isinstance(folder.stray_hint, Diagnostic):
        return folder.stray_hint
    if entry.type not in (EntryType.FILE, EntryType.LINK):
        return _finding(entry.path, *not_regular_problem(entry.path))
    if not _is_entity_file(folder, name) and not folder.layout.entry_kind:
        return _stray_file_finding(folder, entry, name)
    return _extension_finding(entry, name) or _locate(folder, entry, name)


def _is_entity_file(folder: _Folder, name: FileName) -> bool:
    # `organization.yml` is a near miss like any other at the root.
    return name.stem == folder.layout.own_kind and (
        folder.layout is not ROOT_LAYOUT or name.format in SECRETS_FILE_FORMATS
    )


def _locate(folder: _Folder, entry: TreeEntry, name: FileName) -> Location | Diagnostic:
    kind = folder.layout.own_kind or folder.layout.entry_kind or Kind.SECRETS
    if folder.layout.own_kind:
        own, environment = "", ""
    elif name.is_secrets and kind is Kind.AGENT:
        own, _, environment = name.stem.partition(".")
    else:
        own, environment = name.stem, ""
    if folder.layout.entry_kind and not (is_valid_name(own) and (own == name.stem or is_valid_name(environment))):
        return _bad_name_finding(entry.path, name.stem, kind)
    if not name.is_secrets:
        return Location(kind, folder.project, folder.team, own)
    if kind not in SECRET_OWNERS:
        hint = "secrets belong to an organization, environment, project, team or agent"
        return _finding(entry.path, "ET127", f"a {kind.replace('_', ' ')} has no secrets file", hint)
    return Location(Kind.SECRETS, folder.project, folder.team, own, kind, environment)


# Findings about one path.


def _finding(path: str, code: str, message: str, hint: str = "") -> Diagnostic:
    return Diagnostic(file_span(escape_unprintable(path)), code, message, hint)


def _folder_link_finding(folder: _Folder, entry: TreeEntry) -> Diagnostic | None:
    place = folder.layout
    if entry.type is not EntryType.FOLDER_LINK or not (entry.name in place.folders or place.child_layout):
        return None
    return _finding(
        entry.path, "ET120", f"'{escape_unprintable(entry.path)}' is a link to a folder", "replace it with a folder"
    )


def _near_miss_finding(path: str, meant: str) -> Diagnostic:
    return _finding(path, "ET125", f"nothing is read from '{escape_unprintable(path)}'", f"did you mean '{meant}'?")


def _misplaced_manifest_finding(folder: _Folder, entry: TreeEntry) -> Diagnostic:
    message = f"'{entry.path}' marks an output folder, and '{folder.path}/' holds sources"
    return _finding(entry.path, "ET123", message, "remove it, and compile into a folder of its own")


def _stray_file_finding(folder: _Folder, entry: TreeEntry, name: FileName) -> Diagnostic:
    hint = folder.stray_hint if isinstance(folder.stray_hint, str) else ""
    if folder.layout.child_layout and not hint:
        hint = f"did you mean '{folder.path}/{name.stem}/{folder.layout.child_layout.own_kind}.yaml'?"
    return _finding(
        entry.path,
        "ET123",
        f"nothing is read from '{escape_unprintable(entry.path)}'",
        escape_unprintable(hint or _suggest_path(folder, name)),
    )


def _suggest_path(folder: _Folder, name: FileName) -> str:
    """What a file in the folder of a project or a team was probably meant to be."""
    known = allowed_contents(folder.layout)
    close = nearest_name(name.stem, known)
    if close == folder.layout.own_kind and name.is_secrets:
        return f"did you mean '{close}.secrets.{name.format}'?"
    return f"did you mean '{known[close]}'?" if close else did_you_mean(name.stem, known.values())


def _extension_finding(entry: TreeEntry, name: FileName) -> Diagnostic | None:
    if name.format in SECRETS_FILE_FORMATS:
        return None
    right = "yaml" if name.format.lower() == "yml" else name.format.lower()
    hint = f"rename it to '{escape_unprintable(entry.name.removesuffix(name.format) + right)}'"
    return _finding(
        entry.path, "ET122", f"'{escape_unprintable(entry.path)}' ends in '.{name.format}', not in '.{right}'", hint
    )


def _bad_name_finding(path: str, name: str, kind: Kind | None = None) -> Diagnostic:
    head, _, tail = name.partition(".")
    if is_valid_name(head) and tail in ("secret", "sops", "enc"):
        hint = f"a secrets file is named '{head}.secrets.yaml'"
    elif kind is Kind.AGENT and is_valid_name(head) and is_valid_name(tail):
        hint = f"an agent's overlay is written in '{head}.yaml', under 'environments'"
    else:
        close = "" if tail else suggest_name(name)
        hint = f"rename it, perhaps to '{close}': use {NAME_RULE}" if close else f"use {NAME_RULE}"
    return _finding(path, "ET124", f"'{escape_unprintable(name)}' is not a path name", hint)


# Findings about several paths.


def _missing_entity_files(discovered: list[_DiscoveredPath]) -> Iterator[Diagnostic]:
    """Project and team folders without the file that makes them one."""
    used = {each.entity_folder.path: each.entity_folder for each in discovered if each.entity_folder}
    used |= {
        home.parent_entity_folder.path: home.parent_entity_folder for home in used.values() if home.parent_entity_folder
    }
    described = {
        each.entity_folder.path
        for each in discovered
        if each.entity_folder and _describes_entity(each.path, each.entity_folder)
    }
    for path, home in used.items():
        if path not in described:
            expected = f"{home.layout.own_kind}.yaml"
            content = "with a 'key'" if home.layout.own_kind is Kind.PROJECT else "which may be empty"
            yield _finding(path, "ET126", f"'{path}' has no '{expected}'", f"add '{path}/{expected}', {content}")


def _describes_entity(path: str, entity_folder: _Folder) -> bool:
    folder, _, name = path.rpartition("/")
    parsed = parse_file_name(name) if folder == entity_folder.path else None
    if parsed is None or parsed.is_secrets:
        return False
    # A name with a typing error has been told, with the right one.
    return (
        parsed.stem == entity_folder.layout.own_kind
        or nearest_name(parsed.stem, allowed_contents(entity_folder.layout)) == entity_folder.layout.own_kind
    )


def _orphaned_secrets(discovered: list[_DiscoveredPath], locations: Mapping[str, Location]) -> Iterator[Diagnostic]:
    """Secrets of an environment or an agent that is not there; a project's and a team's are ET126 already."""
    owners = {path.rpartition(".")[0] for path in (each.path for each in discovered)}
    for path, location in locations.items():
        if location.owner not in (Kind.ENVIRONMENT, Kind.AGENT):
            continue
        owner = f"{path.rpartition('/')[0]}/{location.name}"
        if owner not in owners:
            siblings = {at.name for at in locations.values() if at == _owner_location(location, at.name)}
            close = nearest_name(location.name, siblings)
            right = path.rpartition("/")[2].replace(location.name, close, 1)
            hint = f"did you mean '{right}'?" if close else f"add '{owner}.yaml', or correct the name"
            yield _finding(path, "ET127", f"there is no '{owner}.yaml' that these secrets belong to", hint)


def _owner_location(secrets: Location, name: str) -> Location:
    """The place of a file that secrets may belong to."""
    return Location(secrets.owner or secrets.kind, secrets.project, secrets.team, name)


def _duplicate_secrets(locations: Mapping[str, Location]) -> list[Diagnostic]:
    """Secrets that are there in a second format; the first in the order of paths counts."""
    seen: dict[str, str] = {}
    findings: list[Diagnostic] = []
    for path, location in locations.items():
        if location.kind is not Kind.SECRETS:
            continue
        first = seen.setdefault(path.rpartition(".")[0], path)
        if first != path:
            related = (RelatedSpan(file_span(first), "the other file"),)
            message = f"'{path}' and '{first}' hold the secrets of one file"
            findings.append(Diagnostic(file_span(path), "ET128", message, "keep one of them", related))
    return findings


def _ambiguous_default_project(locations: Mapping[str, Location]) -> Iterator[Diagnostic]:
    """Folders of the implicit default project beside projects/."""
    tops = {path.partition("/")[0] for path in locations}
    if "projects" not in tops:
        return
    projects = sorted(at.project for at in locations.values() if at.kind is Kind.PROJECT)
    home = projects[0] if projects and DEFAULT_PROJECT not in projects else DEFAULT_PROJECT
    needs = "" if projects else f", with a 'projects/{home}/project.yaml'"
    for top in sorted(tops & IMPLICIT_PROJECT_FOLDERS):
        message = f"'{top}/' stands at the root beside 'projects/'"
        hint = f"move it into a project, such as to 'projects/{home}/{top}/'{needs}"
        yield Diagnostic(file_span(top), "ET306", message, hint, (RelatedSpan(file_span("projects"), "the projects"),))
